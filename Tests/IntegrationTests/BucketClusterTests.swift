import Foundation
import Synchronization
import TestSupport
import Testing

/// An engine with several volume servers that keeps two replicas of each object.
@Suite(.serialized, .runLimit) struct BucketClusterTests {
    @Test func `No acknowledged payload is lost when a volume server is killed under load`() throws {
        let engine = try SeaweedFS(.replicated)
        let stack = try Stack(workers: 2, engine: engine)
        let taken = Taken()
        let (stored, read) = (Counter(), Counter())
        let unexpected = Mutex<Set<String>>([])
        let isOver = Counter()
        let load = Thread {
            do {
                try concurrently(6) { index in
                    while isOver.value == 0 {
                        if index < 3 {
                            let payload = randomPayload(Int.random(in: 1..<300_000))
                            let answer = try stack.put(payload)
                            // 200: the answer to a first attempt was lost with the killed server.
                            if answer.status == 201 || answer.status == 200 {
                                taken.add(try Stack.key(answer), payload)
                                stored.add()
                            } else if answer.status != 503 {
                                _ = unexpected.withLock { $0.insert("PUT \(answer.status) \(answer.text)") }
                            }
                        } else if let (key, payload) = taken.payloads.randomElement() {
                            let answer = try stack.get(key, length: payload.count, ["Cache-Control": "no-cache"])
                            if answer.status == 200, answer.body == payload {
                                read.add()
                            } else if answer.status != 503 {
                                _ = unexpected.withLock {
                                    $0.insert("GET \(answer.status), \(answer.body.count) of \(payload.count) bytes")
                                }
                            }
                        }
                    }
                }
            } catch {
                _ = unexpected.withLock { $0.insert("\(error)") }
            }
            isOver.add()
        }
        load.start()
        try eventually("payloads are stored and read") { stored.value > 40 && read.value > 40 }
        engine.killVolumeServer(0)
        let before = (stored: stored.value, read: read.value)
        try eventually("the service continues", within: 180) {
            stored.value > before.stored + 80 && read.value > before.read + 80
        }
        isOver.add()
        try eventually("the load ends") { isOver.value == 2 }
        #expect(unexpected.withLock { $0 }.isEmpty)

        let payloads = taken.payloads
        #expect(payloads.count > 120)
        for (key, payload) in payloads {
            let answer = try stack.get(key, length: payload.count, ["Cache-Control": "no-cache"])
            #expect(answer.status == 200, "\(key): \(answer.text)")
            let isWhole = answer.body == payload
            #expect(isWhole, "\(key)")
        }
    }
}
