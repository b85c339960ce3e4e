import Foundation
import PayloadKey
import TestStores
import TestSupport
import Testing

/// What `lps` does only on a store in a bucket.
@Suite(.runLimit, .enabled(if: ToolStore.kinds.contains(.s3))) struct BucketCommandTests {
    private let content = randomPayload(5_000)
    private let prefix = UUID().uuidString

    /// The names of the bucket's objects below a prefix, as listed.
    private func objects(_ prefix: String) throws -> [String] {
        let listing = try TestEngine.shared.curl("GET", "/payloads?list-type=2&prefix=\(prefix)").body
        return String(decoding: listing, as: UTF8.self).components(separatedBy: "<Key>").dropFirst()
            .compactMap { $0.components(separatedBy: "</Key>").first?.replacingOccurrences(of: "//", with: "/") }
            .sorted()
    }

    /// Puts an object of another program into the bucket.
    private func putNote(_ name: String, _ store: ToolStore) throws {
        try write([1], to: store.folder.file("note"))
        let answer = try TestEngine.shared.curl("PUT", "/payloads/\(name)", bodyFile: store.folder.file("note"))
        #expect(answer.status == 200)
    }

    @Test func `A scrub quarantines a damaged object, and reports and leaves strays`() throws {
        let store = try ToolStore(TestBucket(prefix: prefix))
        let key = try store.put(content)
        try store.damage(key, content)
        try putNote("\(prefix)/blobs/ns/note", store)
        let found = try store.lps("scrub")
        #expect(found.status == 1)
        #expect(found.output.contains("stray: ") && found.output.contains("blobs/ns/note"), "\(found.output)")
        #expect(found.output.contains("1 damaged, 1 other findings, 1 repaired"), "\(found.output)")
        #expect(
            try objects(prefix) == [
                "\(prefix)/blobs/ns/note", "\(prefix)/quarantine/\("\(key)".dropFirst("/blobs/".count))",
            ]
        )
    }

    @Test func `A prefix separates stores that share a bucket, and other programs' objects are left alone`() throws {
        let store = try ToolStore(TestBucket(prefix: prefix))
        let other = try ToolStore(.s3)
        let key = try store.put(content)
        try putNote("\(prefix)/notes.txt", store)
        #expect(try other.get(key) == nil && other.keys().isEmpty)
        #expect(try store.keys() == ["\(key)"] && store.lps("scrub").status == 0)
        #expect(try objects(prefix) == ["\(prefix)\(key)", "\(prefix)/notes.txt"])
    }

    // In a bucket with versions, Ceph ignores `If-None-Match: *`.
    @Test func `Storing a payload again creates no further version of its object`() throws {
        let bucket = "versions-\(UUID().uuidString.lowercased())"
        try TestEngine.shared.createVersionedBucket(bucket)
        let store = try ToolStore(TestBucket(bucket: bucket, prefix: ""))
        for _ in 0..<3 { _ = try store.put(content) }
        let versions = try TestEngine.shared.curl("GET", "/\(bucket)?versions=").body
        let isOne = String(decoding: versions, as: UTF8.self).components(separatedBy: "<Version>").count == 2
        #expect(isOne, "\(String(decoding: versions, as: UTF8.self))")
    }
}
