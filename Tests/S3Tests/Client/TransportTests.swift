import Foundation
import HTTP
import Logging
import TestSupport
import Testing

@testable import S3

/// What the client sends, and which answers it accepts.
@Suite(.runLimit) struct TransportTests {
    private func get(_ url: String, limits: RequestLimits = S3Limits().request) throws -> (status: Int, body: [UInt8]) {
        let body = BodyBuffer(limit: 1 << 20)
        let request = HTTPRequest(method: "GET", url: url, headers: [])
        let head = try HTTPConnections().perform(request, limits) { _, piece in body.take(piece) }
        return (head.status, body.bytes)
    }

    @Test func `An untrusted certificate is refused, unless its authority is configured`() throws {
        let folder = try TemporaryFolder()
        let (certificate, key) = (folder.file("certificate.pem"), folder.file("key.pem"))
        let made = try run(
            "openssl",
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
                + ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key]
                + ["-out", certificate]
        )
        #expect(made.status == 0, "\(made.output)")
        let port = try freePort()
        let server = try ChildProcess(
            "openssl",
            ["s_server", "-quiet", "-www", "-accept", "127.0.0.1:\(port)", "-cert", certificate, "-key", key],
            log: folder.file("log")
        )
        var trusting = S3Limits().request
        trusting.authorities = certificate
        try eventually("s_server answers: \(server.log)") {
            (try? get("https://localhost:\(port)/", limits: trusting).status) == 200
        }
        let error = #expect(throws: TransportError.self) { try get("https://localhost:\(port)/") }
        #expect(error?.mayPass == false && error?.description.contains("certificate") == true)
        // The certificate has another name.
        #expect(throws: TransportError.self) { try get("https://127.0.0.1:\(port)/", limits: trusting) }
    }

    @Test func `The file of trusted authorities is from the variable of the AWS tools, curl or OpenSSL`() {
        func file(_ variables: [String: String]) -> String? { S3Limits.authorities { variables[$0] } }
        var variables: [String: String] = [:]
        #expect(file(variables) == nil)
        for name in ["SSL_CERT_FILE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE"] {
            variables[name] = ""
            let before = file(variables)
            variables[name] = "/\(name)"
            #expect(before != "" && file(variables) == "/\(name)")
        }
    }

    @Test func `Redirects and other protocols are not followed`() throws {
        let server = try ScriptedServer(.answer(307, ["Location: http://127.0.0.1:1/"], "there"))
        #expect(try get("http://127.0.0.1:\(server.port)/") == (307, Array("there".utf8)))
        #expect(throws: TransportError.self) { try get("file:///etc/passwd") }
        #expect(throws: TransportError.self) { try get("ftp://127.0.0.1:\(server.port)/") }
        #expect(server.lines == ["GET /"])
    }

    @Test func `A path is sent unchanged`() throws {
        let server = try ScriptedServer(.answer(200))
        _ = try get("http://127.0.0.1:\(server.port)//a/../b/./c%2F%2e?x=%2B&y=")
        #expect(server.lines == ["GET //a/../b/./c%2F%2e?x=%2B&y="])
    }

    @Test(arguments: ["a\r\nx-other: b", "a\nb", "\u{0}", "\u{7F}"])
    func `A header value with control characters is refused`(value: String) throws {
        let server = try ScriptedServer(.answer(200))
        let url = "http://127.0.0.1:\(server.port)/"
        let request = HTTPRequest(method: "GET", url: url, headers: [("authorization", value)])
        #expect(throws: TransportError.self) {
            try HTTPConnections().perform(request, S3Limits().request) { _, _ in .goOn }
        }
        #expect(server.lines.isEmpty)
    }

    @Test func `Requests to credentials endpoints have headers and a timeout, and follow no redirect`() throws {
        let server = try ScriptedServer { _, request in
            switch request.line {
            case "PUT /token": [.answer(200, [], request.headers["x-ttl"] ?? "none")]
            case "GET /moved": [.answer(302, ["Location: http://127.0.0.1:1/"])]
            // This answer never stalls.
            case "GET /trickle":
                [.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")]
                    + (0..<100).flatMap { _ in [.send("x"), .wait(100)] }
            case "GET /large": [.answer(200, [], String(repeating: "x", count: 1_048_577))]
            default: [.error(404, "None")]
            }
        }
        let origin = "http://127.0.0.1:\(server.port)"
        #expect(
            try simpleHTTP("PUT", "\(origin)/token", [("X-TTL", "21600")], .seconds(5)) == (200, Array("21600".utf8))
        )
        #expect(try simpleHTTP("GET", "\(origin)/moved", [], .seconds(5)).status == 302)
        #expect(try simpleHTTP("GET", "\(origin)/none", [], .seconds(5)).status == 404)
        #expect(throws: TransportError.self) { try simpleHTTP("GET", "\(origin)/large", [], .seconds(5)) }
        // Without the timeout, the answer would be complete after ten seconds.
        #expect(throws: TransportError.self) { try simpleHTTP("GET", "\(origin)/trickle", [], .milliseconds(300)) }
        server.stop()
        #expect(throws: TransportError.self) { try simpleHTTP("GET", "\(origin)/token", [], .seconds(1)) }
    }

    @Test func `Connections close with their client`() throws {
        let server = try ScriptedServer(.answer(200))
        let url = "http://127.0.0.1:\(server.port)/"
        for _ in 0..<4 { _ = try get(url) }
        try eventually("all connections have ended") { server.openConnectionCount == 0 }
        #expect(server.connectionCount == 4)
    }

    @Test(
        arguments: [
            ("bytes 0-0/1", 0..<1, 1), ("bytes 2-9/12", 2..<10, 12),
            ("bytes 0-17179869183/17179869184", 0..<(1 << 34), 1 << 34),
        ] as [(String, Range<UInt64>, UInt64)]
    )
    func `A content range is parsed`(text: String, bytes: Range<UInt64>, total: UInt64) {
        #expect(ContentRange(text)?.bytes == bytes)
        #expect(ContentRange(text)?.total == total)
    }

    @Test(arguments: [
        nil, "", "bytes", "bytes 0-0", "bytes 0-0/0", "bytes 1-0/2", "bytes 0-2/2", "bytes */2", "bytes 0-1/*",
        "bytes 0-1/2/3", "bytes -1/2", "bytes 0--1/2", "bytes 0-1/ 2", "items 0-1/2", "bytes 0-18446744073709551615/1",
        "bytes 0-18446744073709551616/18446744073709551617",
    ])
    func `A malformed content range is refused`(text: String?) {
        #expect(ContentRange(text) == nil)
    }
}
