import AsyncHTTPClient
import NIOHTTP1
import TestSupport
import Testing

@testable import LargePayloadCodec

@Suite(.runLimit) struct EnvironmentProxyTests {
    typealias Proxy = HTTPClient.Configuration.Proxy

    private static let proxy = Proxy.server(host: "proxy", port: 3128)

    @Test(
        arguments: [
            ("https://h", ["https_proxy": "http://proxy:3128"], proxy),
            ("https://h", ["HTTPS_PROXY": "proxy:3128"], proxy),
            ("https://h", ["https_proxy": "http://proxy:3128", "HTTPS_PROXY": "http://other"], proxy),
            ("https://h", ["https_proxy": "", "HTTPS_PROXY": "http://proxy:3128/"], proxy),
            ("HTTPS://h", ["all_proxy": "http://proxy:3128"], proxy),
            ("https://h", ["ALL_PROXY": "proxy"], .server(host: "proxy", port: 1080)),
            ("https://h", ["http_proxy": "http://proxy:3128"], nil),
            ("http://h", ["http_proxy": "http://proxy:3128"], proxy),
            // A CGI program gets it from a client.
            ("http://h", ["HTTP_PROXY": "http://proxy:3128", "https_proxy": "http://proxy:3128"], nil),
            ("https+unix://%2Frun%2Fs", ["ALL_PROXY": "http://proxy:3128"], nil),
            ("https://h", ["HTTPS_PROXY": "socks5://proxy:3128"], .socksServer(host: "proxy", port: 3128)),
            ("https://h", ["HTTPS_PROXY": "socks5h://proxy"], .socksServer(host: "proxy")),
            ("https://h", ["HTTPS_PROXY": "http://[::1]:3128"], .server(host: "::1", port: 3128)),
            (
                "https://h", ["HTTPS_PROXY": "http://me:p%40ss@proxy:3128"],
                .server(host: "proxy", port: 3128, authorization: .basic(username: "me", password: "p@ss"))
            ),
        ] as [(String, [String: String], Proxy?)]
    )
    func `The proxy is the one that curl uses`(url: String, environment: [String: String], proxy: Proxy?) throws {
        #expect(try EnvironmentProxy(environment).proxy(for: url) == proxy)
    }

    @Test(
        arguments: [
            ("https://lps.example.com", "lps.example.com", true), ("https://LPS.example.com", "Example.Com", true),
            ("https://lps.example.com", ".example.com", true), ("https://example.com", ".example.com", true),
            ("https://lps.example.com", "other, example.com", true), ("https://lps.example.com", "x example.com", true),
            ("https://lps.example.com", "ample.com", false), ("https://lps.example.com", "example.org", false),
            ("https://lps.example.com", "*", true), ("https://lps.example.com", "", false),
            ("https://10.1.2.3", "10.1.2.3", true), ("https://10.1.2.3:8443", "10.0.0.0/8", true),
            ("https://11.1.2.3", "10.0.0.0/8", false), ("https://10.1.2.3", "10.1.2.0/23", true),
            ("https://10.1.4.3", "10.1.2.0/23", false), ("https://10.1.2.3", "0.0.0.0/0", true),
            ("https://10.1.2.3", "10.0.0.0/33", false), ("https://10.1.2.3", "2.3", false),
            ("https://[fd00::1]", "fd00::1", true), ("https://[fd00::1]", "[fd00::1]", true),
            ("https://[fd00::1]", "fd00::/8", true), ("https://[fe80::1]", "fd00::/8", false),
        ]
    )
    func `Hosts, domains and networks in NO_PROXY are reached directly`(
        url: String,
        exceptions: String,
        isDirect: Bool
    ) throws {
        for name in ["no_proxy", "NO_PROXY"] {
            let environment = EnvironmentProxy(["HTTPS_PROXY": "http://proxy:3128", name: exceptions])
            #expect((try environment.proxy(for: url) == nil) == isDirect)
        }
    }

    @Test(arguments: ["https://me:secret@proxy", "ftp://proxy", "http://", "http://proxy:99999", "http://a b"])
    func `An invalid proxy is an error that names the variable and does not repeat a password`(value: String) throws {
        let error = #expect(throws: CodecTransportError.self) {
            try EnvironmentProxy(["HTTPS_PROXY": value]).proxy(for: "https://h")
        }
        #expect(
            error?.message == "the environment variable HTTPS_PROXY is not http://HOST:PORT or socks5://HOST:PORT"
        )
    }

    @Test func `A request goes through the proxy to the service, with the proxy's password`() async throws {
        let server = try ScriptedServer { _, request in
            // The answer to CONNECT has no body; the same connection then carries the request.
            request.line.hasPrefix("CONNECT ") ? [.send("HTTP/1.1 200 -\r\n\r\n")] : [.answer(200)]
        }
        let transport = HTTPClientTransport(
            environment: ["all_proxy": "http://me:secret@127.0.0.1:\(server.port)"],
            tls: nil
        )
        let request = CodecRequest(method: "HEAD", url: "http://lps.test/v2/health/head", maximumResponseSize: 0)
        #expect(try await transport.send(request, timeout: .seconds(60)).status == 200)
        #expect(server.lines == ["CONNECT lps.test:80", "HEAD /v2/health/head"])
        #expect(server.requests.first?.headers["proxy-authorization"] == "Basic bWU6c2VjcmV0")
    }

    @Test func `A proxy that requires a password is a permanent fault`() async throws {
        let server = try ScriptedServer(.answer(407))
        let transport = HTTPClientTransport(environment: ["all_proxy": "127.0.0.1:\(server.port)"], tls: nil)
        let request = CodecRequest(method: "HEAD", url: "http://lps.test/", maximumResponseSize: 0)
        let error = await #expect(throws: CodecTransportError.self) {
            try await transport.send(request, timeout: .seconds(60))
        }
        #expect(error?.message == "the proxy requires a user name and password")
    }
}
