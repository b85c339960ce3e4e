import Foundation
import TestSupport
import Testing

/// What nginx's cache saves the engine.
@Suite(.serialized, .runLimit) struct BucketCacheTests {
    private let front: BucketFront
    private let stack: Stack

    init() throws {
        front = try BucketFront(TestEngine.shared)
        stack = try Stack(through: front)
    }

    private func expectWhole(_ key: String, _ payload: [UInt8], _ headers: [String: String] = [:]) throws {
        let answer = try stack.get(key, length: payload.count, headers)
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

    /// All that the engine was asked, once a request that comes after it is logged.
    private func asked() throws -> Int {
        let last = randomPayload(10)
        _ = try stack.get(stack.store(last), length: last.count)
        try eventually("the front has logged") { front.downloads(of: last).count == 1 }
        return front.requests.count
    }

    @Test func `The second download of a payload asks the engine nothing, of nginx nor of the worker`() throws {
        let payload = randomPayload(100_000)
        let key = try stack.store(payload)
        try expectWhole(key, payload)
        let before = try asked()
        for _ in 0..<5 { try expectWhole(key, payload) }
        // The upload and the download of the last one.
        #expect(try asked() == before + 2)
        #expect(front.downloads(of: payload).map(\.bytes) == [payload.count])
    }

    @Test
    func `A range of a large payload that is not in the cache is all that is read, and one that is costs nothing`()
        throws
    {
        let payload = randomPayload(16 << 20)
        let key = try stack.store(payload)
        try expectPart(key, payload, 10_000_000..<10_000_100)
        try eventually("the front has logged") { front.downloads(of: payload).count == 1 }
        #expect(front.downloads(of: payload).map(\.bytes) == [100])
        #expect(front.downloads(of: payload).map(\.range) == ["bytes=10000000-10000099"])
        try expectWhole(key, payload)
        try expectPart(key, payload, 0..<1)
        try expectPart(key, payload, 10_000_000..<10_000_100)
        _ = try asked()
        #expect(front.downloads(of: payload).map(\.bytes) == [100, payload.count])
    }

    @Test func `A range of a small payload brings all of it into the cache`() throws {
        let payload = randomPayload(100_000)
        let key = try stack.store(payload)
        try expectPart(key, payload, 5..<10)
        try expectPart(key, payload, 99_000..<100_000)
        try expectWhole(key, payload)
        _ = try asked()
        #expect(front.downloads(of: payload).map(\.bytes) == [payload.count])
    }

    @Test func `Of many who ask for a payload at once, one reads it from the engine`() throws {
        let payload = randomPayload(8 << 20)
        let key = try stack.store(payload)
        try concurrently(4) { _ in try expectWhole(key, payload) }
        _ = try asked()
        #expect(front.downloads(of: payload).map(\.bytes) == [payload.count])
    }

    @Test func `Keys of a namespace with the same content share its place in the cache`() throws {
        let payload = randomPayload(50_000)
        try expectWhole(stack.store(payload), payload)
        try expectWhole(stack.store(payload, prefix: "a/b"), payload)
        _ = try asked()
        #expect(front.downloads(of: payload).count == 1)
    }

    @Test func `A damaged entry of the cache contradicts the answer's digest, and asking past the cache mends it`()
        throws
    {
        let payload = randomPayload(100_000)
        let key = try stack.store(payload)
        try expectWhole(key, payload)
        let entry = try stack.cacheEntries(1)[0]
        var bytes = try contents(of: entry)
        bytes[bytes.count - 50] ^= 1
        // In place: nginx has the file's length and number in memory.
        let file = try #require(FileHandle(forWritingAtPath: entry))
        try file.write(contentsOf: Data(bytes))
        try file.close()

        let damaged = try stack.get(key, length: payload.count)
        #expect(damaged.status == 200)
        let isDamaged = damaged.body != payload
        #expect(isDamaged)
        #expect(damaged.headers["etag"] == "\"\(Stack.digest(payload))\"")
        #expect(Stack.digest(damaged.body) != Stack.digest(payload))
        try expectWhole(key, payload, ["Cache-Control": "no-cache"])
        try expectWhole(key, payload)
    }

    /// nginx cuts a download off when it can't write what it reads from the engine (nginx/nginx#868).
    @Test(.enabled(if: geteuid() == 0, "only root can mount"))
    func `A payload that has no room in the cache is served past it`() throws {
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
