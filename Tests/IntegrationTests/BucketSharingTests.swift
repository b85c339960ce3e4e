import Foundation
import TestSupport
import Testing

/// Two stacks over one bucket, each with its own nginx, cache and workers, as on two machines.
@Suite(.serialized, .runLimit) struct BucketSharingTests {
    private let one: Stack
    private let other: Stack

    init() throws {
        let bucket = "payloads/\(UUID().uuidString)"
        one = try Stack(engine: TestEngine.shared, bucket: bucket)
        other = try Stack(.plain, engine: TestEngine.shared, bucket: bucket)
    }

    @Test(arguments: [0, 5_000, 5_000_000])
    func `What one stack stores the other one serves, both ways`(size: Int) throws {
        for (storing, serving) in [(one, other), (other, one)] {
            let payload = randomPayload(size)
            let stored = try storing.put(payload, namespace: size == 0 ? storing.mode.rawValue : "default")
            #expect(stored.status == 201)
            for _ in 0..<2 {
                let fetched = try serving.get(Stack.key(stored), length: size)
                #expect(fetched.status == 200)
                let isWhole = fetched.body == payload
                #expect(isWhole)
            }
        }
    }

    @Test func `What one stack has stored is not new for the other one`() throws {
        let payload = randomPayload(5_000)
        #expect(try one.put(payload).status == 201)
        #expect(try other.put(payload).status == 200)
        #expect(try one.put(payload).status == 200)
    }

    @Test(arguments: [5_000, 2 << 20])
    func `A payload that many store at once through both is new once`(size: Int) throws {
        let payload = randomPayload(size)
        let created = Counter()
        try concurrently(12) { index in
            let answer = try (index % 2 == 0 ? one : other).put(payload)
            #expect([200, 201].contains(answer.status), "\(answer.text)")
            if answer.status == 201 { created.add() }
        }
        #expect(created.value == 1)
        try one.expectNothingIncoming()
        try other.expectNothingIncoming()
    }
}
