import Foundation
import PayloadKey
import TestSupport
import Testing

/// nginx does not verify its cache entries. These tests show what protects payloads from damaged ones.
@Suite(.serialized, .runLimit) struct DamagedCacheTests {
    private let stack: Stack
    private let payload = randomPayload(300_000)
    private let key: String

    /// Flips one bit of a payload in nginx's cache.
    init() throws {
        stack = try Stack(.bucket)
        key = try stack.store(payload)
        #expect(try stack.get(key, length: payload.count).body == payload)
        let entry = try stack.cacheEntries(1)[0]
        var bytes = try contents(of: entry)
        bytes[bytes.count - 1000] ^= 1
        // In place: nginx has the file's length and inode in memory.
        try write(bytes, to: entry)
    }

    private func get(_ headers: [String: String] = [:]) throws -> [UInt8] {
        let answer = try stack.get(key, length: payload.count, headers)
        #expect(answer.status == 200)
        let digest = Data(Digest(of: payload).bytes).base64EncodedString()
        #expect(answer.headers["repr-digest"] == "sha-256=:\(digest):", "a client can detect the damage")
        #expect(answer.headers["etag"] == "\"\(Stack.digest(payload))\"")
        return answer.body
    }

    @Test func `A download that bypasses the cache repairs a damaged entry`() throws {
        #expect(try get() != payload, "nginx does not notice")
        #expect(try get(["Cache-Control": "no-cache"]) == payload)
        #expect(try get() == payload)
        let part = try stack.get(key, length: payload.count, ["Range": "bytes=299000-299009"])
        #expect(part.body == Array(payload[299_000..<299_010]))
    }

    @Test func `lps scrub-cache removes damaged entries; a damaged object affects only its namespace`() throws {
        let content = randomPayload(300_000)
        let theirs = try stack.store(content, namespace: "theirs")
        let ours = try stack.store(content, namespace: "ours")
        #expect(try stack.get(ours, length: content.count).body == content)
        try stack.cacheEntries(2)
        let found = try run(Project.binary("lps"), ["scrub-cache", stack.folder.file("cache")])
        #expect(found.status == 1)
        #expect(found.output.contains("not \(Stack.digest(payload)); removed\n"))
        #expect(found.output.hasSuffix(": 1 damaged or unreadable\n"))
        try stack.cacheEntries(1)
        #expect(try get() == payload, "nginx has fetched it again")

        let damaged = Array(content.dropLast() + [content[content.count - 1] ^ 1])
        let file = stack.folder.file("damaged")
        try write(damaged, to: file)
        let bucket = try #require(stack.storePlace.dropFirst("s3:/".count).split(separator: "?").first)
        let path = bucket + theirs.replacingOccurrences(of: ":", with: "%3A")
        #expect(try stack.engine?.curl("PUT", String(path), bodyFile: file).status == 200)
        #expect(try stack.get(theirs, length: content.count).body == damaged)
        try stack.cacheEntries(3)
        #expect(try stack.get(ours, length: content.count).body == content)
    }
}
