import Foundation
import TestSupport
import Testing

/// Who may use the codec server: pages of which origins (CORS), and callers that another service knows.
@Suite(.serialized, .runLimit) struct CodecAccessTests {
    @Test func `A page of an allowed origin may ask, and only such a page`() throws {
        let stack = try Stack()
        let allowed = "https://temporal.example.com"
        func ask(_ method: String, _ origin: String?) throws -> HTTPAnswer {
            let headers = ["Content-Type": "application/json"].merging(origin.map { ["Origin": $0] } ?? [:]) { $1 }
            let body = Array(#"{"payloads":[]}"#.utf8)
            return try stack.request(method, "/codec/default/decode", headers, body: method == "POST" ? body : nil)
        }
        let preflight = try ask("OPTIONS", allowed)
        #expect(preflight.status == 204)
        for answer in [preflight, try ask("POST", allowed), try ask("GET", allowed)] {
            #expect(answer.headers["access-control-allow-origin"] == allowed)
            #expect(answer.headers["access-control-allow-credentials"] == "true")
            #expect(answer.headers["access-control-allow-methods"] == "POST, GET, OPTIONS")
            #expect(
                answer.headers["access-control-allow-headers"]
                    == "X-Namespace, Content-Type, Authorization, Authorization-Extras"
            )
            #expect(answer.headers["vary"] == "Origin")
        }
        for origin in [
            "https://evil.example.com", "http://temporal.example.com", "https://temporal.example.com.evil.org",
            "https://temporal.example.com:8443", "null", "https://TEMPORAL.example.org", ">",
        ] {
            for method in ["OPTIONS", "POST"] {
                let answer = try ask(method, origin)
                #expect(answer.status == 403, "\(origin)")
                #expect(answer.headers["access-control-allow-origin"] == nil)
                #expect(answer.headers["access-control-allow-credentials"] == nil)
            }
        }
        let command = try ask("POST", nil)
        #expect(command.status == 200)
        #expect(command.headers["access-control-allow-origin"] == nil)
        #expect(command.headers["access-control-allow-credentials"] == nil)
    }

    @Test
    func `A public page of an allowed origin may ask a server with a private address, where the browser asks for it`()
        throws
    {
        let stack = try Stack()
        let field = "access-control-allow-private-network"
        let asked = "Access-Control-Request-Private-Network"
        func preflight(_ origin: String, _ more: [String: String]) throws -> HTTPAnswer {
            let headers = ["Origin": origin, "Access-Control-Request-Method": "POST"].merging(more) { $1 }
            return try stack.request("OPTIONS", "/codec/default/decode", headers)
        }
        let allowed = try preflight("https://temporal.example.com", [asked: "true"])
        #expect(allowed.status == 204 && allowed.headers[field] == "true")
        for more in [[:], [asked: "false"], [asked: ""]] {
            #expect(try preflight("https://temporal.example.com", more).headers[field] == nil, "it was not asked for")
        }
        let foreign = try preflight("https://evil.example.com", [asked: "true"])
        #expect(foreign.status == 403 && foreign.headers[field] == nil)
        #expect(try stack.request("OPTIONS", "/codec/default/decode", [asked: "true"]).headers[field] == nil, "no page")
    }

    @Test func `A page sees the status of an error of nginx, too`() throws {
        let stack = try Stack()
        for worker in stack.workers { stack.stop(worker) }
        try FileManager.default.removeItem(atPath: stack.workerSocket)
        let headers = ["Origin": "https://temporal.example.com"]
        let answer = try stack.codec("decode", Array(#"{"payloads":[]}"#.utf8), headers)
        expectError(answer, 503, "no worker of the large payload service answers", "decode")
        #expect(answer.headers["access-control-allow-origin"] == "https://temporal.example.com")
    }

    @Test func `auth_request decides who may ask, and for which namespaces`() throws {
        let service = try TemporaryFolder()
        let stack = try Stack(nginx: { text in
            // Of codec.conf only: uploads and downloads need no token here.
            guard !text.contains("in location ^~ /v2/.") else { return text }
            // Another server of nginx is the service that is asked.
            return text.replacingOccurrences(of: "# auth_request", with: "auth_request")
                .replacingOccurrences(
                    of: "include lps/codec.conf;",
                    with: """
                        include lps/codec.conf;
                        location = /lps-auth {
                            include lps/auth.conf;
                            proxy_pass http://unix:\(service.file("auth.sock")):/;
                        }
                        """
                )
                .replacingOccurrences(
                    of: "include lps/site.conf;",
                    with: """
                        include lps/site.conf;
                        server {
                            listen unix:\(service.file("auth.sock"));
                            if ($http_authorization = "") { return 401; }
                            if ($http_authorization = "Bearer nobody") { return 403; }
                            if ($http_authorization = "Bearer broken") { return 502; }
                            add_header X-Allowed-Namespaces mine;
                            location / { return 204; }
                        }
                        """
                )
        })
        let body = Array(#"{"payloads":[]}"#.utf8)
        func ask(_ path: String, _ authorization: String?) throws -> HTTPAnswer {
            let headers = authorization.map { ["Authorization": $0] } ?? [:]
            return try stack.codec(path, body, headers.merging(["Origin": "https://temporal.example.com"]) { $1 })
        }
        expectError(try ask("mine/decode", nil), 401, "authentication is required", "nobody")
        let forbidden = try ask("mine/decode", "Bearer nobody")
        expectError(forbidden, 403, "not allowed", "somebody else")
        #expect(forbidden.headers["access-control-allow-origin"] == "https://temporal.example.com")
        let broken = try ask("mine/decode", "Bearer broken")
        expectError(broken, 503, "the authentication service does not answer", "a service that fails")
        #expect(broken.headers["access-control-allow-origin"] == "https://temporal.example.com")
        #expect(try ask("mine/decode", "Bearer somebody").status == 200)
        // Above what nginx lets pass where nothing else is said: 1 MiB.
        let data = String(repeating: "YWJj", count: 750_000)
        let large = Array(#"{"payloads":[{"metadata":{},"data":"\#(data)"}]}"#.utf8)
        #expect(try stack.codec("mine/decode", large, ["Authorization": "Bearer somebody"]).status == 200)
        let theirs = try ask("theirs/decode", "Bearer somebody")
        expectError(theirs, 403, "namespace 'theirs' is not allowed for this caller", "another's namespace")
        let preflight = try stack.request("OPTIONS", "/codec/decode", ["Origin": "https://temporal.example.com"])
        #expect(preflight.status == 204, "a browser asks without credentials")
    }
}
