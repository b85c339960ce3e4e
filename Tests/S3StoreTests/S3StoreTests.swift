import Foundation
import PayloadKey
import Storage
import S3
import TestSupport
import Testing

@testable import S3Store

/// A bucket store with a scripted engine, for answers that a real engine does not give on demand.
@Suite(.runLimit) struct S3StoreTests {
    private static let content = Array("hello world".utf8)
    private static let old = "Mon, 02 Nov 2026 00:00:00 GMT"
    private static let copied = ScriptedServer.Step.answer(200, [], "<CopyObjectResult/>")
    private static let isThere = ScriptedServer.Step.error(412, "PreconditionFailed")
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// - Parameter condition: how the engine handles `If-None-Match: *`.
    private func store(
        _ server: ScriptedServer,
        _ condition: EngineCapabilities.Condition = .honoured,
        _ log: RecordedLog = RecordedLog()
    ) throws -> S3Store {
        let url = "s3://bucket?endpoint=http://127.0.0.1:\(server.port)&region=us-east-1"
        let logger = log.logger
        let client = S3Client(
            try S3Location(parsing: url, environment: { _ in nil }),
            credentials: Credentials(accessKey: "key", secretKey: "secret"),
            logger: logger
        )
        client.learn { $0.condition = condition }
        let uploads = try UploadFolder(path: folder.path, reserve: 0, setting: "--incoming", logger: logger)
        return S3Store(client, uploads: uploads, logger: logger)
    }

    private func key(_ content: [UInt8] = content, prefix: String? = nil) throws -> PayloadKey {
        PayloadKey(
            namespace: try Namespace(validating: "ns".utf8),
            prefix: prefix.flatMap { KeyPrefix(validating: $0.utf8) },
            digest: Digest(of: content),
            metadataHash: Digest(of: [])
        )
    }

    private func commit(_ store: S3Store, _ content: [UInt8] = content) throws -> CommitOutcome {
        let upload = try store.uploads.receive(length: UInt64(content.count), digest: Digest(of: content)) { take in
            try content.withUnsafeBytes { try take($0) }
        }
        return try store.commit(upload, as: key(content))
    }

    /// The methods of the requests; a copy is `COPY`.
    private func methods(_ server: ScriptedServer) -> [String] {
        server.requests.map { $0.headers["x-amz-copy-source"] == nil ? $0.method : "COPY" }
    }

    /// An engine with one answer for each kind of request; `condition` answers uploads with `If-None-Match`.
    private func engine(
        head: ScriptedServer.Step,
        get: ScriptedServer.Step = .error(404, "NoSuchKey"),
        put: ScriptedServer.Step = .stored,
        condition: ScriptedServer.Step = isThere,
        copy: ScriptedServer.Step = copied
    ) throws -> ScriptedServer {
        try ScriptedServer { _, request in
            switch request.method {
            case "HEAD": [head]
            case "GET": [get]
            default:
                request.headers["x-amz-copy-source"] != nil
                    ? [copy] : [request.headers["if-none-match"] == nil ? put : condition]
            }
        }
    }

    @Test func `Storing a payload again renews its age after a day, not before`() throws {
        let server = try engine(head: .object(11, Self.old))
        #expect(try commit(store(server)) == .existed)
        #expect(methods(server) == ["PUT", "HEAD", "COPY"])
        let young = try engine(head: .object(11, httpDate(Date().addingTimeInterval(-23 * 3600))))
        #expect(try commit(store(young)) == .existed)
        #expect(methods(young) == ["PUT", "HEAD"])
        let large = try engine(head: .object(1 << 20, Self.old))
        #expect(try commit(store(large), randomPayload(1 << 20)) == .existed)
        #expect(methods(large) == ["HEAD", "COPY"], "a HEAD precedes the upload")
    }

    @Test func `An object that can't be copied onto itself is stored again`() throws {
        let server = try engine(head: .object(11, Self.old), copy: .error(403, "InvalidObjectState"))
        #expect(try commit(store(server)) == .existed)
        #expect(methods(server) == ["PUT", "HEAD", "COPY", "PUT"])
    }

    // Ceph stores another version and answers 200.
    @Test(arguments: [EngineCapabilities.Condition.unknown, .ignored, .refused])
    func `If the engine may overwrite objects, a HEAD precedes each upload`(
        condition: EngineCapabilities.Condition
    ) throws {
        let there = try engine(head: .object(11, Self.old))
        #expect(try commit(store(there, condition)) == .existed)
        #expect(methods(there) == ["HEAD", "COPY"])
        let absent = try engine(head: .answer(404), condition: .stored)
        #expect(try commit(store(absent, condition)) == .created)
        #expect(methods(absent) == ["HEAD", "GET", "PUT"])
    }

    // OpenStack Swift gives this answer to an upload that another one overtook.
    @Test func `After an answer without an ETag, the stored object is checked`() throws {
        let overtaken = ScriptedServer.Step.answer(200, [], "<html><p>The server accepted the request.</p></html>")
        let server = try engine(head: .object(11, httpDate(Date())), condition: overtaken)
        #expect(try commit(store(server)) == .existed)
        #expect(methods(server) == ["PUT", "HEAD"])
        // A proxy in front of the engine can answer like this.
        let none = try engine(head: .answer(404), put: overtaken, condition: overtaken)
        #expect(throws: StoreError.self) { try commit(store(none)) }
        #expect(methods(none) == ["PUT", "HEAD", "GET", "PUT"])
    }

    @Test func `A full engine is distinguished from a failing one`() throws {
        for (answer, code) in [
            (ScriptedServer.Step.error(403, "QuotaExceeded"), StoreError.Code.engineFull),
            (.error(403, "AccessDenied"), .unavailable),
        ] {
            let server = try ScriptedServer(answer)
            let error = #expect(throws: StoreError.self) { try commit(store(server)) }
            #expect(error?.code == code)
        }
    }

    // MARK: Starting

    @Test func `The engine's capabilities are logged in one line`() throws {
        let log = RecordedLog()
        let engine = try ScriptedEngine()
        try store(engine.server, .unknown, log).checkStart(waiting: false)
        #expect(log.lines.count == 1)
        #expect(log.text.contains("engine capabilities"))
        #expect(log.text.contains("honoured"))
    }

    @Test(arguments: [
        ("AccessDenied", 403, true), ("InvalidStorageClass", 400, true), ("SlowDown", 503, false),
        ("RequestTimeTooSkewed", 403, false),
    ])
    func `A start fails if the engine refuses uploads`(
        code: String,
        status: Int,
        preventsUse: Bool
    ) throws {
        // The requested delay exceeds the remaining time.
        let engine = try ScriptedEngine { request in
            request.method == "PUT" ? .error(status, code, ["Retry-After: 3600"]) : nil
        }
        let error = #expect(throws: StoreError.self) { try store(engine.server, .unknown).checkStart(waiting: false) }
        #expect(error?.preventsUse == preventsUse)
        #expect(error?.description.contains("PUT of an object: \(status) \(code)") == true)
    }

    @Test func `A start succeeds with a full engine`() throws {
        let engine = try ScriptedEngine { $0.method == "PUT" ? .error(403, "QuotaExceeded") : nil }
        let log = RecordedLog()
        try store(engine.server, .unknown, log).checkStart(waiting: false)
        #expect(log.text.contains("storage engine full"))
    }

    // MARK: Reading

    @Test(arguments: ["orders/", "/a", "a//b"])
    func `A payload is found if the engine dropped empty parts of its prefix`(prefix: String) throws {
        let collapsed = prefix.split(separator: "/").joined(separator: "/")
        let server = try ScriptedServer { _, request in
            let isThere = request.line.contains("/custom/\(collapsed)/sha256")
            return [isThere ? .object(11) : .error(404, "NoSuchKey")]
        }
        #expect(try store(server).open(key(prefix: prefix))?.size == 11)
        #expect(try store(server).find(key(prefix: prefix))?.key == key(prefix: prefix))
    }

    @Test func `The last bytes of a whole payload are passed on only if its digest matches`() throws {
        let server = try engine(
            head: .object(11),
            get: .answer(206, ["Content-Range: bytes 0-10/11"], "hello w0rld")
        )
        let payload = try #require(try store(server).open(key()))
        var given: [UInt8] = []
        let error = #expect(throws: StoreError.self) { try payload.read(0..<11) { given += $0 } }
        #expect(error?.code == .damaged)
        #expect(given.count < 11)
    }

    // MARK: Scrubbing

    @Test func `A damaged object that is replaced during its copy is not deleted`() throws {
        let listed = try String(decoding: key().utf8, as: UTF8.self)
        let entry = "<Key>\(listed)</Key><Size>11</Size><LastModified>2026-11-02T00:00:00Z</LastModified>"
        let isCopied = Counter()
        let server = try ScriptedServer { _, request in
            switch request.method {
            case "GET" where request.target.contains("list-type=2"):
                return [.answer(200, [], "<ListBucketResult><Contents>\(entry)</Contents></ListBucketResult>")]
            case "HEAD": return [.object(11)]
            case "GET":
                let content = isCopied.value > 0 ? "hello world" : "hello w0rld"
                return [.answer(206, ["Content-Range: bytes 0-10/11"], content)]
            case "PUT":
                isCopied.add()
                return [Self.copied]
            default: return [.error(400, "NotExpected")]
            }
        }
        var findings: [Finding] = []
        _ = try store(server).scrub(.everything, pace: { _ in }) { findings.append($0) }
        #expect(findings.map(\.kind) == [.damaged])
        #expect(isCopied.value == 1)
        #expect(!methods(server).contains("DELETE"))
    }

    // MARK: Caching

    @Test func `Cached payloads expire`() throws {
        let cache = ObjectCache(capacity: 2, lifetime: .seconds(60))
        let keys = try ["a", "b", "c", "d", "e"].map { try key(prefix: $0) }
        for key in keys { cache[key] = ObjectCache.Entry(size: 1, object: []) }
        #expect(keys.filter { cache[$0] != nil }.count <= 4)
        #expect(cache[keys[4]]?.size == 1)
        cache[keys[4]] = nil
        #expect(cache[keys[4]] == nil)
        let brief = ObjectCache(capacity: 2, lifetime: .milliseconds(50))
        brief[keys[0]] = ObjectCache.Entry(size: 1, object: [])
        try eventually("the entry expires") { brief[keys[0]] == nil }
    }

    @Test func `Health checks ask the engine at most every two seconds, one at a time`() throws {
        try EngineHealth(lifetime: .seconds(300)).check { Issue.record("the engine was asked on the first check") }
        let health = EngineHealth(lifetime: .zero)
        let (asked, told) = (Counter(), Counter())
        try concurrently(16) { _ in
            try health.check {
                asked.add()
                try eventually("the other checks return") { told.value == 15 }
            }
            told.add()
        }
        #expect(asked.value == 1)
        #expect(throws: NeverHappened.self) { try health.check { throw NeverHappened(what: "an answer") } }
    }
}
