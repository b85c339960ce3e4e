import Foundation
import LargePayloadCodec
import TestSupport
import Testing

@Suite(.runLimit) struct OptionsTests {
    private static let noService =
        ["", "service", "ftp://h", "http://", "http:///path", "https:/h", "h:80", "http://a b", "file:///x"]
        .map { ($0, "is '\($0)', expected 'https://HOST' or 'http://HOST', with an optional path") }
    private static let noPort =
        [
            "http://127.0.0.1:99999", "http://[::1]:70000", "http://h:0", "http://h:65536", "https://h:",
            "http://h:99999999999999999999/path",
        ]
        .map { ($0, "is '\($0)', expected a port from 1 to 65535") }
    private static let more = ["http://h?x=1", "http://h/#f"].map { url in
        (url, "is '\(url)', expected 'https://HOST' or 'http://HOST', with an optional path and no query or fragment")
    }
    // The message must not contain the password.
    private static let user = [("http://me:secret@h", "contains a user name; authenticate with a header or the hook")]

    @Test(arguments: noService + noPort + more + user)
    func `An invalid URL is an error before any connection`(url: String, reason: String) async {
        let error = await #expect(throws: LargePayloadCodecOptionError.self) {
            try await LargePayloadCodec(.init(url: url, namespace: "ns"))
        }
        #expect(error?.option == "url")
        #expect(error?.reason == reason)
    }

    @Test(
        arguments: [
            ("namespace is '': namespace is empty", options { $0.namespace = "" }),
            ("namespace is 'a/b': namespace contains '/'", options { $0.namespace = "a/b" }),
            ("minimumSize is -1, expected 0 bytes or more", options { $0.minimumSize = -1 }),
            ("apiVersion is 'v1', expected 'v2'", options { $0.apiVersion = "v1" }),
            (
                "maximumDownloadSize is -1, expected 0 bytes or more",
                options { $0.maximumDownloadSize = -1 }
            ),
            (
                "maximumConcurrentRequests is 0, expected 1 or more",
                options { $0.maximumConcurrentRequests = 0 }
            ),
            ("requestTimeout is 0.0 seconds, expected more than zero", options { $0.requestTimeout = .zero }),
            ("cacheSize is -5, expected 0 bytes or more", options { $0.cacheSize = -5 }),
            (
                "retries contain a duration of -1.0 seconds, expected zero or more",
                options { $0.retries.giveUpAfter = .seconds(-1) }
            ),
            (
                "retries contain a duration of -2.0 seconds, expected zero or more",
                options { $0.retries.initialDelay = .seconds(-2) }
            ),
            ("headers contain the name '', expected an HTTP token", options { $0.headers = [.init("", "x")] }),
            ("headers contain the name 'a b', expected an HTTP token", options { $0.headers = [.init("a b", "x")] }),
            ("headers contain the name 'é', expected an HTTP token", options { $0.headers = [.init("é", "x")] }),
            (
                "headers contain the name 'a\r\nb', expected an HTTP token",
                options { $0.headers = [.init("a\r\nb", "x")] }
            ),
            (
                "headers contain 'content-Length', which the codec sets itself",
                options { $0.headers = [.init("content-Length", "1")] }
            ),
            (
                "headers contain a control character in the value of 'a'",
                options { $0.headers = [.init("a", "x\r\nb: c")] }
            ),
        ]
    )
    func `An invalid option is an error that names what is expected`(
        message: String,
        options: LargePayloadCodec.Options
    ) async {
        let error = await #expect(throws: LargePayloadCodecOptionError.self) { try await LargePayloadCodec(options) }
        #expect(error.map { "\($0)" } == message)
    }

    private static func options(_ edit: (inout LargePayloadCodec.Options) -> Void) -> LargePayloadCodec.Options {
        var options = LargePayloadCodec.Options(url: "http://h", namespace: "ns")
        edit(&options)
        return options
    }

    @Test(arguments: [
        "http://h", "https://h:8443/a/b/", "HTTP://h", "http+unix://%2Frun%2Flps.sock", "http://[::1]:80",
        "http://[::1]/a:b", "http://h:65535",
    ])
    func `A valid URL is accepted`(url: String) async throws {
        var options = LargePayloadCodec.Options(url: url, namespace: "a b é")
        options.skipsHealthCheck = true
        options.headers = [.init("X-A_b", "tab\tand é"), .init("X-A_b", "")]
        _ = try await LargePayloadCodec(options)
    }

    @Test func `Creating a codec fails if the service is unhealthy, unless the check is skipped`() async throws {
        let service = FakeService { request, _ in
            #expect(request.method == "HEAD")
            #expect(request.url == "http://service.test/below/v2/health/head")
            return CodecResponse(status: 500)
        }
        let error = await #expect(throws: LargePayloadCodecError.self) {
            try await service.codec { $0.skipsHealthCheck = false }
        }
        #expect(error?.operation == .healthCheck)
        #expect(error?.status == 500)
        _ = try await service.codec()
        #expect(service.requests.count == 1)
    }

    @Test(
        arguments: [
            (200, "", true), (404, "blob not found\n", true), (412, "payload has 1 bytes, expected 0\n", true),
            (404, "<html>Not Found</html>", false), (200, "<html>", false), (401, "", false), (403, "no", false),
            (500, "", false),
        ]
    )
    func `A codec that only decodes checks that the service answers downloads`(
        status: Int,
        body: String,
        isUsable: Bool
    ) async throws {
        let empty = Stack.digest([])
        let service = FakeService { request, _ in
            #expect(request.method == "GET")
            let key = "/blobs/ns/common/\(empty)/\(empty)".replacingOccurrences(of: ":", with: "%3A")
            #expect(request.url == "http://service.test/below/v2/blobs/get?key=\(key)")
            #expect(request.headers.contains { $0 == ("X-Payload-Expected-Content-Length", "0") })
            return CodecResponse(status: status, body: Data(body.utf8))
        }
        let codec: Result<LargePayloadCodec, any Error>
        do {
            codec = .success(
                try await service.codec {
                    $0.skipsHealthCheck = false
                    $0.isDecodeOnly = true
                }
            )
        } catch {
            codec = .failure(error)
        }
        if isUsable {
            _ = try codec.get()
        } else {
            let error = #expect(throws: LargePayloadCodecError.self) { try codec.get() }
            #expect(error?.operation == .healthCheck)
            #expect(error?.status == status)
        }
        #expect(service.requests.count == 1)
    }
}
