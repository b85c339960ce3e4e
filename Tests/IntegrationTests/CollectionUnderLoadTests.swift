import Foundation
import TestSupport
import Testing

/// `lps gc` while the service takes uploads.
@Suite(.serialized, .runLimit) struct CollectionUnderLoadTests {
    @Test(arguments: Stack.Mode.allCases)
    func `Collections in a storm of uploads take nothing that was answered, and leave nothing behind`(mode: Stack.Mode)
        throws
    {
        let stack = try Stack(mode, workers: 2)
        let uploaders = 4
        let running = Counter()
        running.add(uploaders)
        let collections = Counter()
        let collected = Counter()
        let refused = Counter()
        try concurrently(uploaders + 2) { index in
            guard index < uploaders else {
                while running.value > 0 {
                    let result = try stack.lps("gc", "--json", "--older-than", "1d")
                    guard result.status == 0 else {
                        // One collects at a time.
                        #expect(result.output.contains("another process collects garbage"))
                        refused.add()
                        continue
                    }
                    let json = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
                    collections.add()
                    collected.add(json?["keys"] as? Int ?? 0)
                }
                return
            }
            defer { running.add(-1) }
            // Stored again and again, each time when it is about to be collected for its age.
            let again = randomPayload(5000)
            let key = try stack.store(again)
            for _ in 0..<60 {
                // Another collection may have it already.
                if let path = stack.keys.first(where: { $0.contains(digits(of: again)) }) {
                    let old = timeval(tv_sec: time(nil) - 2 * 86_400, tv_usec: 0)
                    utimes("\(stack.store)/\(path)", [old, old])
                }
                usleep(UInt32.random(in: 0...10_000))
                _ = try stack.store(again)
                let isThere = try stack.get(key, length: again.count).body == again
                #expect(isThere)
                let new = randomPayload(3000)
                let newKey = try stack.store(new, namespace: "new-\(index)")
                let isNewThere = try stack.get(newKey, length: new.count).body == new
                #expect(isNewThere)
            }
        }
        #expect(collections.value >= 3 && collected.value >= 3, "\(collections.value), \(collected.value)")
        #expect(refused.value > 0, "two collected side by side")
        #expect(stack.keys.count == uploaders * 61)
        try stack.expectNothingIncoming()
        #expect(try stack.lpsJSON("gc", "--older-than", "1d")["contents"] as? Int == 0)
        #expect(stack.objects.count == uploaders * 61)
        #expect(try stack.lps("scrub").status == 0)
    }

    private func digits(of payload: [UInt8]) -> String {
        String(Stack.digest(payload).dropFirst("sha256:".count))
    }
}
