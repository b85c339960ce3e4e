import Foundation
import PayloadKey
import Storage
import S3
import TestSupport
import Testing

@testable import S3Store

/// A store in a bucket of an engine that answers as a script says: what no real engine does when it is asked to.
@Suite struct S3StoreTests {
    private static let content = Array("hello world".utf8)
    private static let old = "Last-Modified: Mon, 02 Nov 2026 00:00:00 GMT"
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func store(_ server: ScriptedServer) throws -> S3Store {
        let url = "s3://bucket?endpoint=http://127.0.0.1:\(server.port)"
        let logger = RecordedLog().logger
        let client = S3Client(
            try S3Location(parsing: url, environment: { _ in nil }),
            credentials: Credentials(accessKey: "key", secretKey: "secret"),
            logger: logger
        )
        let uploads = try UploadFolder(path: folder.path, reserve: 0, setting: "--incoming", logger: logger)
        return S3Store(client, uploads: uploads, logger: logger)
    }

    private func key(prefix: String? = nil) throws -> PayloadKey {
        PayloadKey(
            namespace: try Namespace(validating: "ns".utf8),
            prefix: prefix.flatMap { KeyPrefix(validating: $0.utf8) },
            digest: Digest(of: Self.content),
            metadataHash: Digest(of: [])
        )
    }

    private func commit(_ store: S3Store) throws -> CommitOutcome {
        let upload = try store.uploads.receive(length: 11, digest: Digest(of: Self.content)) { take in
            try Self.content.withUnsafeBytes { try take($0) }
        }
        return try store.commit(upload, as: key()) {}
    }

    /// What the engine was asked to do, without the objects.
    private func methods(_ server: ScriptedServer) -> [String] {
        server.requests.map { request in
            let method = String(request.line.prefix { $0 != " " })
            return request.headers["x-amz-copy-source"] == nil ? method : "COPY"
        }
    }

    /// - Parameter age: of the object that is there, as a header.
    private func engine(_ age: String, copy: ScriptedServer.Step) throws -> ScriptedServer {
        try ScriptedServer { _, request in
            if request.line.hasPrefix("HEAD") {
                return [.send("HTTP/1.1 200 -\r\nContent-Length: 11\r\n\(age)\r\n\r\n")]
            }
            if request.headers["x-amz-copy-source"] != nil { return [copy] }
            return request.headers["if-none-match"] == nil ? [.stored] : [.error(412, "PreconditionFailed")]
        }
    }

    @Test func `A payload that is stored again after a day has its age renewed, a younger one is left`() throws {
        let copied = ScriptedServer.Step.answer(200, [], "<CopyObjectResult/>")
        let server = try engine(Self.old, copy: copied)
        #expect(try commit(store(server)) == .existed)
        #expect(methods(server) == ["PUT", "HEAD", "COPY"])
        let young = try engine(
            "Last-Modified: " + httpDate(Date().addingTimeInterval(-23 * 3600)),
            copy: copied
        )
        #expect(try commit(store(young)) == .existed)
        #expect(methods(young) == ["PUT", "HEAD"])
    }

    @Test func `Where an object can't be copied onto itself, it is stored anew`() throws {
        let server = try engine(Self.old, copy: .error(403, "InvalidObjectState"))
        #expect(try commit(store(server)) == .existed)
        #expect(methods(server) == ["PUT", "HEAD", "COPY", "PUT"])
    }

    @Test func `An object of another size is replaced by the verified upload`() throws {
        let server = try ScriptedServer { _, request in
            if request.line.hasPrefix("HEAD") {
                return [.send("HTTP/1.1 200 -\r\nContent-Length: 7\r\n\(Self.old)\r\n\r\n")]
            }
            return request.headers["if-none-match"] == nil ? [.stored] : [.error(412, "PreconditionFailed")]
        }
        #expect(try commit(store(server)) == .existed)
        #expect(methods(server) == ["PUT", "HEAD", "PUT"])
        #expect(server.requests.last?.body == Self.content)
    }

    @Test(arguments: ["orders/", "/a", "a//b"])
    func `A payload whose prefix has lost its empty parts on the way is found`(prefix: String) throws {
        let collapsed = prefix.split(separator: "/").joined(separator: "/")
        let server = try ScriptedServer { _, request in
            guard request.line.contains("/custom/\(collapsed)/sha256") else {
                return request.line.hasPrefix("HEAD")
                    ? [.send("HTTP/1.1 404 -\r\n\r\n"), .close] : [.error(404, "NoSuchKey")]
            }
            return [.send("HTTP/1.1 200 -\r\nContent-Length: 11\r\n\(Self.old)\r\n\r\n")]
        }
        #expect(try store(server).open(key(prefix: prefix))?.size == 11)
        #expect(try store(server).find(key(prefix: prefix))?.key == key(prefix: prefix))
    }

    @Test func `The last bytes of a payload that is read whole are given only when all are right`() throws {
        let server = try ScriptedServer { _, request in
            request.line.hasPrefix("HEAD")
                ? [.send("HTTP/1.1 200 -\r\nContent-Length: 11\r\n\(Self.old)\r\n\r\n")]
                : [.answer(206, ["Content-Range: bytes 0-10/11"], "hello w0rld")]
        }
        let payload = try #require(try store(server).open(key()))
        var given: [UInt8] = []
        let error = #expect(throws: StoreError.self) { try payload.read(0..<11) { given += $0 } }
        #expect(error?.code == .damaged)
        #expect(given.count < 11)
    }

    @Test func `What was learned of a payload is believed for a while, not for ever`() throws {
        let cache = ObjectCache(capacity: 2, lifetime: .seconds(60))
        let keys = try ["a", "b", "c", "d", "e"].map { try key(prefix: $0) }
        for key in keys { cache[key] = ObjectCache.Entry(size: 1, object: []) }
        #expect(keys.filter { cache[$0] != nil }.count <= 4)
        #expect(cache[keys[4]]?.size == 1)
        cache[keys[4]] = nil
        #expect(cache[keys[4]] == nil)
        let brief = ObjectCache(capacity: 2, lifetime: .milliseconds(50))
        brief[keys[0]] = ObjectCache.Entry(size: 1, object: [])
        try eventually("it is forgotten") { brief[keys[0]] == nil }
    }

    @Test func `However often health is asked for, the engine is asked every other second, by one`() throws {
        let server = try ScriptedServer { _, _ in [.wait(300), .answer(200, [], "<ListBucketResult/>")] }
        let store = try store(server)
        usleep(2_100_000)
        try concurrently(16) { _ in try store.checkHealth() }
        #expect(server.requests.count == 1)
    }
}
