import Foundation
import TestSupport
import Testing

/// How nginx's cache reduces requests to the engine.
@Suite(.serialized, .runLimit) struct BucketCacheTests {
    private let front: BucketFront
    private let stack: Stack

    init() throws {
        front = try BucketFront(TestEngine.shared)
        stack = try Stack(through: front)
    }

    private func expectWhole(_ key: String, _ payload: [UInt8]) throws {
        let answer = try stack.get(key, length: payload.count)
        #expect(answer.status == 200)
        let isWhole = answer.body == payload
        #expect(isWhole)
    }

    private func expectPart(_ key: String, _ payload: [UInt8], _ range: Range<Int>) throws {
        let part = ["Range": "bytes=\(range.lowerBound)-\(range.upperBound - 1)"]
        let answer = try stack.get(key, length: payload.count, part)
        #expect(answer.status == 206)
        let isPart = answer.body == Array(payload[range])
        #expect(isPart)
    }

    /// The number of requests to the engine so far. The front logs with a delay, so this waits for one last request.
    private func asked() throws -> Int {
        let last = randomPayload(10)
        _ = try stack.get(stack.store(last), length: last.count)
        try eventually("the front has logged") { front.downloads(of: last).count == 1 }
        return front.requests.count
    }

    @Test func `The engine sends a payload once, and of an uncached large one only the range`() throws {
        let second = randomPayload(100_000)
        let key = try stack.store(second)
        try expectWhole(key, second)
        let before = try asked()
        for _ in 0..<5 { try expectWhole(key, second) }
        // The upload and download of `asked` itself: the worker does not query the engine either.
        #expect(try asked() == before + 2)

        let small = randomPayload(100_000)
        let smallKey = try stack.store(small)
        try expectPart(smallKey, small, 5..<10)
        try expectPart(smallKey, small, 99_000..<100_000)
        try expectWhole(smallKey, small)

        let twice = randomPayload(50_000)
        try expectWhole(stack.store(twice), twice)
        try expectWhole(stack.store(twice, prefix: "a/b"), twice)

        let atOnce = randomPayload(8 << 20)
        let keyAtOnce = try stack.store(atOnce)
        try concurrently(4) { _ in try expectWhole(keyAtOnce, atOnce) }

        let large = randomPayload(16 << 20)
        let largeKey = try stack.store(large)
        try expectPart(largeKey, large, 10_000_000..<10_000_100)
        try eventually("the front has logged") { front.downloads(of: large).count == 1 }
        #expect(front.downloads(of: large).map(\.range) == ["bytes=10000000-10000099"])
        try expectWhole(largeKey, large)
        try expectPart(largeKey, large, 0..<1)
        try expectPart(largeKey, large, 10_000_000..<10_000_100)
        _ = try asked()
        #expect(front.downloads(of: large).map(\.bytes) == [100, large.count])
        for payload in [second, small, twice, atOnce] {
            #expect(front.downloads(of: payload).map(\.bytes) == [payload.count])
        }
    }

    /// nginx aborts a download when it can't write the engine's answer to disk (nginx/nginx#868).
    @Test(.enabled(if: geteuid() == 0, "only root can mount"))
    func `Payloads bypass the cache if its disk has too little space`() throws {
        let disk = try SmallDisk(.tmpfs, mebibytes: 8)
        let cache = disk.file("cache")
        let stack = try Stack(options: ["--cache", cache], engine: front.engine) { text in
            guard let start = text.range(of: "proxy_cache_path "), let end = text.range(of: " levels=") else {
                return text
            }
            return text[..<start.upperBound] + cache + text[end.lowerBound...]
        }
        for size in [16 << 20, 100_000] {
            let payload = randomPayload(size)
            let key = try Stack.key(stack.put(payload))
            let isWhole = try stack.get(key, length: size).body == payload
            #expect(isWhole, "\(size) bytes")
        }
        #expect(files(below: cache).isEmpty)
    }
}
