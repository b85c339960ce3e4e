import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

@testable import PayloadService
@testable import lps_worker

/// Requests to the next codec server over HTTP.
@Suite(.runLimit) struct NextCodecServerTests {
    private let folder: TemporaryFolder
    private let uploads: UploadFolder

    init() throws {
        folder = try TemporaryFolder()
        uploads = try UploadFolder(path: folder.path, reserve: 0, setting: "test", logger: RecordedLog().logger)
    }

    private func send(
        _ body: [UInt8],
        to url: String,
        namespace: String? = nil,
        within limit: Duration? = nil
    ) throws -> (status: Int, body: [UInt8]) {
        let server = NextCodecServer(try #require(try CodecServerURL(parsing: url)))
        let request = NextCodecRequest(
            operation: .encode,
            body: try uploads.spool { take in try body.withUnsafeBytes(take) },
            namespace: try namespace.map { try Namespace(validating: $0.utf8) },
            headers: [("Authorization", "Bearer x"), ("Cookie", "ü=1")],
            deadline: limit.map { .now + $0 }
        )
        var answer: [UInt8] = []
        let status = try server.send(request, onPiece: {}) { _, piece in
            answer += piece
            return true
        }
        return (status, answer)
    }

    @Test func `A body is posted below the URL, in which the namespace is encoded, with the given headers`() throws {
        let server = try ScriptedServer(.answer(200, [], "answer"))
        let body = randomPayload(3 << 20)
        let url = "http://127.0.0.1:\(server.port)/codec/{namespace}/x//"
        let answer = try send(body, to: url, namespace: "a b/é".replacing("/", with: "%"))
        #expect(answer == (200, Array("answer".utf8)))
        let request = try #require(server.requests.first)
        #expect(request.line == "POST /codec/a%20b%25%C3%A9/x/encode")
        #expect(request.body == body)
        var headers = request.headers
        #expect(headers.removeValue(forKey: "authorization") == "Bearer x")
        #expect(headers.removeValue(forKey: "cookie") == "ü=1")
        #expect(headers.removeValue(forKey: "content-type") == "application/json")
        #expect(Set(headers.keys) == ["host", "accept", "user-agent", "content-length", "expect"])
    }

    @Test func `A redirect is not followed, and its status returned`() throws {
        let server = try ScriptedServer(.answer(307, ["Location: /elsewhere"], "there"))
        #expect(try send([1], to: "http://127.0.0.1:\(server.port)") == (307, Array("there".utf8)))
        #expect(server.lines == ["POST /encode"])
    }

    @Test func `A server that refuses a request before it has read the body is understood`() throws {
        let server = try ScriptedServer { _, _ in [.answer(401, ["Connection: close"], "who?"), .takeBody] }
        #expect(try send(randomPayload(8 << 20), to: "http://127.0.0.1:\(server.port)").status == 401)
    }

    @Test func `Without a complete answer, the error has the reason`() throws {
        let cutOff = ScriptedServer.Step.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        for steps in [
            [.close], [.reset], [cutOff, .close], [.send("no HTTP at all\r\n\r\n"), .close], [.takeBody, .stall],
        ]
            as [[ScriptedServer.Step]]
        {
            let server = try ScriptedServer { _, _ in steps }
            #expect(throws: NextCodecError.self) {
                try send([1], to: "http://127.0.0.1:\(server.port)", within: .milliseconds(500))
            }
        }
        let port = try freePort()
        let error = #expect(throws: NextCodecError.self) { try send([1], to: "http://127.0.0.1:\(port)") }
        #expect(error?.description.contains("\(port)") == true)
    }

    @Test(arguments: [
        "127.0.0.1:80", "ftp://host/", "https://", "http://ho st/", "http://host:0/", "http://host:x/", "http:///path",
        "http://{namespace}.host/", "http://host/\u{E9}",
    ])
    func `Only a URL of HTTP is a codec server's`(text: String) throws {
        #expect(try CodecServerURL(parsing: text) == nil)
    }

    @Test(arguments: ["http://user:secret@host/", "http://secret@host", "http://host/?key=secret", "http://h/#secret"])
    func `An error about a URL that may contain credentials does not show it`(text: String) throws {
        let error = try #require(throws: ConfigurationError.self) { try CodecServerURL(parsing: text) }
        #expect(!error.description.contains("secret") && error.description.contains("LPS_CODEC_NEXT"))
    }
}
