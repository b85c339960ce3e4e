import Glibc
import PayloadKey
import Storage
import SystemPackage
import TestStores
import TestSupport
import Testing

@testable import PayloadService

/// A failure becomes a status, one line for the client and one log line.
@Suite(.runLimit) struct FailureTests {
    private struct Failure {
        let error: StoreError
        let status: Int
        let message: String
        /// Whether the answer has a Retry-After header.
        let isRetried: Bool
        let logged: String

        init(
            _ code: StoreError.Code,
            errno: Errno? = nil,
            _ status: Int,
            _ message: String,
            retried: Bool = false,
            _ logged: String
        ) {
            error = StoreError(code, "what was done", errno: errno)
            self.status = status
            self.message = message
            isRetried = retried
            self.logged = logged
        }
    }

    private static let storeFailed = "the store failed, the worker's log says how"
    private static let tooManyFiles = "too many files are open, try again"
    private static let engineAway = "the storage engine can't be used now, try again"
    private static let failures = [
        Failure(.noSpace, 507, "what was done", "error no space for upload"),
        Failure(.engineFull, 507, "the storage engine has no space", "error storage engine full"),
        Failure(.quotaExceeded, 507, "what was done", "notice namespace quota exceeded"),
        Failure(.counting, 503, "what was done", "notice upload refused while its namespace is being counted"),
        Failure(.uploadGone, 500, "the upload's file is gone", "warning upload file gone"),
        Failure(.busy, 503, "the store is busy, try again", retried: true, "error store lock held too long"),
        Failure(.unavailable, 503, engineAway, retried: true, "error storage engine unavailable"),
        Failure(.system, errno: .tooManyOpenFiles, 503, tooManyFiles, "error store failed"),
        Failure(.missing, errno: .tooManyOpenFilesInSystem, 503, tooManyFiles, "error store failed"),
        Failure(.system, errno: .ioError, 500, storeFailed, "error store failed"),
        Failure(.damaged, 500, storeFailed, "error store failed"),
        Failure(.unreadable, 500, storeFailed, "error store failed"),
        Failure(.uploadNotAcceptable, 500, storeFailed, "error store failed"),
    ]

    @Test func `Each store failure has its status, its message and its log line`() throws {
        let setup = Setup(store: .memory, handover: .streams)
        let fixture = try ServiceFixture(setup, codec: CodecLimits(minimumSize: 1))
        let failing = try #require(fixture.store.storage as? MemoryStore)
        let key = try fixture.store(helloWorld)
        let encode = try Asked.codec("encode", JSONPayloads([JSONPayload(helloWorld, metadata: [:])]).json)
        let decode = try Asked.codec("decode", fixture.ask(encode).body)
        for failure in Self.failures {
            failing.fail(with: failure.error)
            // For these, a decode answers the other payloads.
            let concernsOnePayload = [.damaged, .unreadable].contains(failure.error.code)
            for asked in [Asked.get(key, length: 11), .put(helloWorld), encode] + (concernsOnePayload ? [] : [decode]) {
                let linesBefore = fixture.log.lines.count
                let answer = try fixture.ask(asked)
                expectRefusal(answer, failure.status, failure.message, "\(failure.error.code)")
                #expect(answer.headers["Retry-After"] == (failure.isRetried ? "5" : nil), "\(failure.error.code)")
                let lines = fixture.log.lines.dropFirst(linesBefore)
                #expect(lines.count == 1)
                let subject = asked.method == "POST" ? [] : [helloWorldDigest, #""namespace": ns"#]
                for part in [failure.logged, "what was done", asked.path] + subject {
                    #expect(lines.first?.contains(part) == true, "\(part): \(lines)")
                }
            }
        }
        failing.fail(with: StoreError(.vanished, "what was done"))
        expectRefusal(try fixture.ask(.get(key, length: 11)), 404, "blob not found")
        failing.fail(with: nil)
        #expect(try fixture.ask(.get(key, length: 11)).body == helloWorld)
    }

    @Test func `An upload whose body fails is refused as cut off, and nothing is stored`() throws {
        struct Broken: Error, CustomStringConvertible { let description = "the peer\nhas left" }
        let fixture = try ServiceFixture()
        for length in [0, 5, 11] {
            let give = source(Array(helloWorld.prefix(length)))
            let asked = Asked.put(helloWorld).with {
                $0.body = nil
                $0.source = { buffer in
                    let count = try give(buffer)
                    if count == 0 { throw Broken() }
                    return count
                }
            }
            expectRefusal(try fixture.ask(asked), 400, "upload was cut off: the peer\\nhas left", "after \(length)")
        }
        #expect(fixture.log.text.contains("notice upload cut off"))
        #expect(try fixture.store.contents().isEmpty)
    }

    @Test(arguments: Setup.all) func `A damaged payload is never sent, and other payloads are`(
        setup: Setup
    ) throws {
        let fixture = try ServiceFixture(setup, codec: CodecLimits(minimumSize: 100))
        let payload = JSONPayload(randomPayload(1000))
        let sound = JSONPayload(randomPayload(2000))
        let references = try fixture.codec("encode", [payload, sound])
        let key = try PayloadReference(parsing: Array(references[0].data)).key
        try fixture.store.replace(#require(PayloadKey(parsing: key)), randomPayload(1000))
        let reason = "its stored content is damaged or unreadable, the worker's log says how"
        let decoded = try fixture.ask(.codec("decode", JSONPayloads(references).json))
        #expect(try decoded.payloads == [references[0], sound])
        #expect(decoded.headers["X-LPS-Undecoded"] == "0;reason=\"\(reason)\"")
        let download = try fixture.ask(.codec("download", JSONPayloads([references[0]]).json))
        expectRefusal(download, 500, Self.storeFailed)
        #expect(fixture.log.text.contains("error payloads not decoded"))
        #expect(fixture.log.text.contains("is damaged: its content has digest"))
    }

    @Test func `An upload's file outside the folder for uploads is refused`() throws {
        let fixture = try ServiceFixture()
        let folder = try TemporaryFolder()
        let (secret, incoming) = (folder.file("secret"), fixture.incoming)
        try write(helloWorld, to: secret)
        for (path, message) in [
            (secret, Self.storeFailed), ("\(incoming)/../secret", Self.storeFailed), (incoming, Self.storeFailed),
            ("\(incoming)/missing", "the upload's file is gone"),
        ] {
            let asked = Asked.put(helloWorld).with { $0.file = path }
            expectRefusal(try fixture.ask(asked), 500, message, path)
        }
        #expect(fixture.log.text.contains("client_body_temp_path and --store must agree"))
        #expect(try fixture.store.contents().isEmpty)
    }

    @Test func `A download that fails before its first byte has an error status and counts nothing as sent`()
        throws
    {
        let fixture = try ServiceFixture(Setup(store: .disk, handover: .streams))
        let key = try fixture.store(helloWorld)
        let trace = RequestTrace()
        var asked = Asked.get(key, length: 11)
        asked.beforeContent = { try fixture.store.replace(#require(PayloadKey(parsing: bytes(key))), []) }
        expectRefusal(try fixture.ask(asked, trace), 500, Self.storeFailed)
        #expect(trace.bytesOut == 0)
        asked.beforeContent = {}
        #expect(try fixture.ask(asked).status == 412, "the payload is now empty")
    }
}
