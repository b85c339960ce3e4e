import Crypto
import Foundation
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import S3

/// The client with a real engine.
@Suite(.runLimit) struct EngineTests {
    let engine: any S3Engine

    init() throws { engine = try TestEngine.shared }

    @Test func `An object whose key begins with a slash is stored, read and deleted`() throws {
        let client = try engine.client()
        let payload = randomPayload(300_000)
        let key = key("/blobs/ns/common/life:sha256+a=b c%2Fé")
        let before = time(nil)
        #expect(try client.put(key, payload) == .stored)
        let object = try #require(try client.status(of: key))
        #expect(object.size == 300_000)
        #expect((before - 1...time(nil) + 1).contains(object.lastModified))
        #expect(try client.contents(of: key, 0..<300_000) == payload)
        #expect(try client.contents(of: key, 17..<40_001) == Array(payload[17..<40_001]))
        try client.delete(key)
        #expect(try client.status(of: key) == nil)
        let error = try failure { try client.read(key, 0..<1) { _ in } }
        #expect(error.code == .noSuchKey)
    }

    @Test func `Of concurrent uploads of a new key, one stores it`() throws {
        let client = try engine.client()
        let outcomes = Mutex<[S3Client.PutOutcome]>([])
        let key = key("/blobs/race")
        try concurrently(8) { _ in
            let outcome = try client.put(key, Array("the payload".utf8))
            outcomes.withLock { $0.append(outcome) }
        }
        #expect(outcomes.withLock { $0.filter { $0 == .stored }.count } == 1)
        #expect(outcomes.withLock { $0.filter { $0 == .existed }.count } == 7)
        #expect(try client.put(key, Array("other".utf8), onlyIfAbsent: false) == .stored)
        #expect(try client.contents(of: key, 0..<5) == Array("other".utf8))
    }

    @Test func `Content that does not match its digest is refused and not stored`() throws {
        let client = try engine.client()
        let key = key("/blobs/wrong")
        let error = try failure {
            _ = try client.put(
                key,
                .bytes([1, 2, 3]),
                digest: Array(SHA256.hash(data: [3, 2, 1] as [UInt8])),
                onlyIfAbsent: true
            )
        }
        #expect(error.code == .badDigest)
        #expect(!error.mayPass)
        #expect(try client.status(of: key) == nil)
    }

    @Test func `Each operation distinguishes a missing bucket from a missing object`() throws {
        let client = try engine.client(bucket: "nobody-made-it")
        let key = key("/blobs/a")
        let codes = try [
            failure { _ = try client.status(of: key) }, failure { try client.read(key, 0..<1) { _ in } },
            failure { _ = try client.renew(key) }, failure { try client.list(prefix: key) { _ in } },
            failure { try client.checkBucket(retrying: true) },
        ].map(\.code)
        #expect(codes == Array(repeating: .noSuchBucket, count: 5))
        #expect(try engine.client().status(of: key) == nil)
        #expect(try engine.client().renew(key) == false)
    }

    @Test func `A copy onto itself renews an object's age and keeps its content, storage class and type`() throws {
        let client = try engine.client(options: "&storage-class=STANDARD_IA")
        let key = key("/blobs/old: one")
        try client.put(key, Array("content".utf8))
        let stored = try #require(try client.status(of: key)).lastModified
        try eventually("another second") { time(nil) > stored + 1 }
        #expect(try client.renew(key))
        let renewed = try #require(try client.status(of: key))
        #expect(renewed.lastModified > stored)
        #expect(renewed.size == 7)
        #expect(try client.contents(of: key, 0..<7) == Array("content".utf8))
        let head = try engine.curl("HEAD", "/payloads//blobs/old%3A%20one").body
        let headers = String(decoding: head, as: UTF8.self).lowercased()
        #expect(headers.contains("x-amz-storage-class: standard_ia"))
        #expect(headers.contains("content-type: application/octet-stream"))
    }

    @Test func `A listing visits all pages, and ends if its visitor throws`() throws {
        try engine.createBucket("pages")
        let client = try engine.client(bucket: "pages", limits: .with { $0.pageSize = 7 })
        let names = (0..<40).map { "/blobs/a/\($0 + 100)" }
        for name in names { try client.put(key(name), Array(name.utf8)) }
        try client.put(key("/blobs/b"), [])
        let listed = try client.keys(prefix: key("/blobs/a/"))
        #expect(listed == names.map { key(engine.listed($0)) })
        #expect(try client.keys(prefix: key("/blobs/")).count == 41)
        #expect(try client.keys(prefix: key("/blobs/none/")).isEmpty)
        struct Stop: Error {}
        var visited = 0
        #expect(throws: Stop.self) {
            try client.list(prefix: key("/blobs/a/")) { object in
                #expect(object.size == 12)
                visited += 1
                if visited == 10 { throw Stop() }
            }
        }
        #expect(visited == 10)
    }

    @Test func `Keys that XML can't hold are listed and deleted like others`() throws {
        try engine.createBucket("odd-keys")
        let client = try engine.client(bucket: "odd-keys", limits: .with { $0.pageSize = 1 })
        let odd = ["a\u{1}b", "a\u{FFFE}", "a+b c%25", "a<b>&\"'c", "a\nb\tc", "a~é\u{FFFD}", "b"]
        let texts = odd.map { "/blobs/\($0)" }
        let names = texts.map(key)
        for name in names { try client.put(name, [1]) }
        let listed = try client.keys(prefix: key("/blobs/"))
        #expect(Set(listed) == Set(texts.map { key(engine.listed($0)) }))
        #expect(listed.count == names.count)
        for name in names + [key("/blobs/never")] { try client.delete(name) }
        #expect(try client.keys(prefix: key("/blobs/")).isEmpty)
    }

    @Test func `A signed GET works from any client and with any range, for one object only`() throws {
        let client = try engine.client(prefix: "tenant a")
        let key = client.location.objectKey(of: key("/blobs/pre:signed+ é"))
        try client.put(key, Array("content".utf8))
        let request = try client.signedGet(key)
        let headers = request.headers.flatMap { ["-H", "\($0.name): \($0.value)"] }
        func get(_ target: String, _ more: [String] = []) throws -> String {
            try run(
                "curl",
                ["-s", "--path-as-is", "-w", " %{http_code}"] + headers + more + ["\(engine.endpoint)\(target)"]
            ).output
        }
        #expect(try get(request.target) == "content 200")
        #expect(try get(request.target, ["-r", "1-3"]) == "ont 206")
        #expect(try get(request.target.replacingOccurrences(of: "signed", with: "other")).hasSuffix("403"))
    }

    @Test(arguments: ["unknown", nil])
    func `An error for wrong credentials contains no secret`(accessKey: String?) throws {
        let wrong = Credentials(accessKey: accessKey ?? engine.accessKey, secretKey: "a-secret-of-mine")
        let log = RecordedLog()
        let client = try engine.client(credentials: wrong, log: log)
        for error in try failures(of: client) {
            #expect(error.code == .credentials)
            #expect(error.description.contains("bucket payloads at \(engine.host): "))
            for text in [error.description, log.text] {
                #expect(!text.contains("a-secret-of-mine") && !text.contains("ignature="))
            }
        }
    }

    /// The errors of each kind of request.
    private func failures(of client: S3Client) throws -> [S3Error] {
        try [
            failure { try client.checkBucket(retrying: true) },
            failure { _ = try client.status(of: key("/blobs/a")) },
            failure { try client.put(key("/blobs/a"), []) },
        ]
    }

    @Test(arguments: [-3600, 3600])
    func `The error for a wrong clock names the difference in seconds`(offset: Int) throws {
        let client = try engine.client(now: { time(nil) + offset })
        for error in try failures(of: client) {
            #expect(error.code == .clockSkew)
            let way = offset < 0 ? "behind" : "ahead of"
            let seconds = (3595...3605).contains { error.description.contains("clock is \($0) s \(way) the engine's") }
            #expect(seconds, "\(error)")
        }
    }

    @Test func `An error thrown by a closure ends a read or an upload, and is rethrown`() throws {
        let client = try engine.client()
        struct Stop: Error {}
        try client.put(key("/blobs/aborted"), randomPayload(8_000_000))
        var count = 0
        #expect(throws: Stop.self) {
            try client.read(key("/blobs/aborted"), 0..<8_000_000) { _ in
                count += 1
                throw Stop()
            }
        }
        #expect(count == 1)
        // The connection's handle remains usable.
        #expect(try client.contents(of: key("/blobs/aborted"), 0..<8_000_000).count == 8_000_000)
        #expect(throws: Stop.self) {
            try client.put(key("/blobs/ended"), randomPayload(4_000_000)) {
                count += 1
                if count == 4 { throw Stop() }
            }
        }
        #expect(count == 4)
        #expect(try client.status(of: key("/blobs/ended")) == nil)
    }
}
