import Foundation
import TestSupport
import Testing

/// The age of objects, from which lifecycle rules and `lps gc` count.
@Suite(.serialized, .runLimit) struct BucketAgeTests {
    /// An engine whose objects all look as old as this.
    private func front(hours: Double) throws -> BucketFront {
        let date = httpDate(Date(timeIntervalSinceNow: -hours * 3600))
        return try BucketFront(
            TestEngine.shared,
            "proxy_hide_header Last-Modified; add_header Last-Modified '\(date)';"
        )
    }

    private func lastStored(_ key: String, _ stack: Stack) throws -> String {
        try #require(stack.lpsJSON("stat", key)["lastStored"] as? String)
    }

    @Test func `What is stored again after a day becomes young, and is copied within the engine`() throws {
        let size = 2 << 20
        let front = try front(hours: 24.1)
        let stack = try Stack(through: front)
        let payload = randomPayload(size)
        let key = try stack.store(payload)
        let before = try lastStored(key, stack)
        sleep(2)
        #expect(try stack.put(payload).status == 200)
        try eventually("it is copied") { front.requests.contains { $0.copySource != nil } }
        let copies = front.requests.filter { $0.copySource != nil }
        #expect(copies.count == 1 && copies[0].status == 200)
        #expect(copies.map(\.copySource) == copies.map(\.target))
        #expect(try lastStored(key, stack) > before)
        let isWhole = try stack.get(key, length: size).body == payload
        #expect(isWhole)
        #expect(front.requests.count { $0.method == "PUT" && $0.status == 200 && $0.copySource == nil } == 1)
    }
}
