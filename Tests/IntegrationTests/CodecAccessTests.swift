import Foundation
import TestSupport
import Testing

/// Origins whose pages may use the codec server (CORS). Authentication by another service is in `TenantTests`.
@Suite(.runLimit) struct CodecAccessTests {
    private let stack: Stack
    private let allowed = "https://temporal.example.com"

    init() throws { stack = try Stack() }

    private func ask(_ method: String, _ origin: String?, _ more: [String: String] = [:]) throws -> HTTPAnswer {
        let headers = ["Content-Type": "application/json"].merging(origin.map { ["Origin": $0] } ?? [:]) { $1 }
        let body = method == "POST" ? Array(#"{"payloads":[]}"#.utf8) : nil
        return try stack.request(method, "/codec/default/decode", headers.merging(more) { $1 }, body: body)
    }

    @Test func `Only pages of an allowed origin may use the codec server`() throws {
        for (method, status) in [("OPTIONS", 204), ("POST", 200), ("GET", 405)] {
            let answer = try ask(method, allowed)
            #expect(answer.status == status)
            for (name, value) in [
                ("allow-origin", allowed), ("allow-credentials", "true"), ("allow-methods", "POST, GET, OPTIONS"),
                ("allow-headers", "X-Namespace, Content-Type, Authorization, Authorization-Extras"),
            ] {
                #expect(answer.headers["access-control-\(name)"] == value, "\(method)")
            }
            #expect(answer.headers["vary"] == "Origin")
        }
        for (origin, statuses) in [
            ("https://evil.example.com", [403, 403]), ("http://temporal.example.com", [403, 403]),
            ("https://temporal.example.com.evil.org", [403, 403]), ("https://temporal.example.com:8443", [403, 403]),
            ("null", [403, 403]), ("https://TEMPORAL.example.org", [403, 403]), (">", [403, 403]),
            // Not a web page, but the command line.
            (nil, [204, 200]),
        ] {
            for (method, status) in zip(["OPTIONS", "POST"], statuses) {
                let answer = try ask(method, origin)
                #expect(answer.status == status, "\(origin ?? "none")")
                #expect(answer.headers["access-control-allow-origin"] == nil)
                #expect(answer.headers["access-control-allow-credentials"] == nil)
            }
        }
        // A browser's preflight request when a public page accesses a server with a private address.
        for (origin, asked, granted) in [
            (allowed, "true", "true"), (allowed, "false", nil), (allowed, "", nil),
            ("https://evil.example.com", "true", nil), (nil, "true", nil),
        ] as [(String?, String, String?)] {
            let answer = try ask("OPTIONS", origin, ["Access-Control-Request-Private-Network": asked])
            #expect(answer.headers["access-control-allow-private-network"] == granted, "\(origin ?? "none") \(asked)")
        }
    }

    @Test func `A page can read the status of nginx's own errors`() throws {
        for worker in stack.workers { stack.stop(worker) }
        try FileManager.default.removeItem(atPath: stack.workerSocket)
        let answer = try ask("POST", allowed)
        expectError(answer, 503, "no worker of the large payload service answers", "decode")
        #expect(answer.headers["access-control-allow-origin"] == allowed)
        // Only the head is sent: nginx refuses the body without reading it.
        let connection = try HTTPConnection(stack.httpSocket)
        try connection.send("POST", "/codec/decode", ["Origin": allowed], length: (64 << 20) + 1)
        let large = try connection.receive()
        expectError(large, 413, "body exceeds max size of 67108864 bytes", "a body over nginx's limit")
        #expect(large.headers["access-control-allow-origin"] == allowed)
    }
}
