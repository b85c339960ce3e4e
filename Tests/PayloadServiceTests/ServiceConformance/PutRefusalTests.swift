import Foundation
import TestSupport
import Testing

@testable import PayloadService

/// The wire contract's table of refused uploads.
@Suite(.runLimit) struct PutRefusalTests {
    private static let hex = String(helloWorldDigest.dropFirst("sha256:".count))

    private static func query(_ text: String) -> @Sendable (inout Asked) -> Void { { $0.query = text } }

    private static func namespace(_ escaped: String) -> @Sendable (inout Asked) -> Void {
        query("namespace=\(escaped)&digest=\(helloWorldDigest)")
    }

    // MARK: Each value

    private static let type = ["text/plain", "application/octet-stream; charset=utf-8", nil].map { value in
        Refused("Content-Type \(value ?? "none")", 400, "missing or incorrect Content-Type header") {
            $0.headers.contentType = value.map(sent)
        }
    }

    private static let length =
        [
            Refused("no Content-Length", 411, "Content-Length header is required") { $0.headers.contentLength = nil },
            Refused("over the maximum", 413, "payload exceeds max size of 1000 bytes") {
                $0.headers.contentLength = sent("1001")
            },
        ]
        + [
            ("abc", "not a decimal number without sign"), ("-1", "not a decimal number without sign"),
            ("+1", "not a decimal number without sign"), ("1.0", "not a decimal number without sign"),
            ("0x1", "not a decimal number without sign"), ("99999999999999999999", "does not fit 64 bits"),
        ].map { value, reason in
            Refused("Content-Length \(value)", 400, "Content-Length header '\(value)' is invalid: \(reason)") {
                $0.headers.contentLength = sent(value)
            }
        }

    private static let namespaces =
        ["digest=\(helloWorldDigest)", "namespace=&digest=\(helloWorldDigest)"].map { text in
            Refused("query \(text)", 400, "namespace query parameter is required", query(text))
        }
        + [
            ("a%2Fb", "a/b", "namespace contains '/'"), (".", ".", "namespace is '.' or '..'"),
            ("%2E%2E", "..", "namespace is '.' or '..'"),
            ("a%00b", "a\\0b", "namespace contains a control character"),
            ("a%0Ab", "a\\nb", "namespace contains a control character"),
            ("%7F", "\\u{7F}", "namespace contains a control character"),
            ("%C2%85", "\\u{0085}", "namespace contains a control character"),
            ("%FF", "\u{FFFD}", "namespace is not valid UTF-8"),
            (
                String(repeating: "n", count: 201), String(repeating: "n", count: 201),
                "namespace has 201 bytes, at most 200 are allowed"
            ),
        ].map { escaped, shown, reason in
            Refused("namespace \(escaped)", 400, "invalid namespace '\(shown)': \(reason)", namespace(escaped))
        }

    private static let digests =
        ["namespace=ns", "namespace=ns&digest="].map { text in
            Refused("query \(text)", 400, "digest query parameter is required", query(text))
        }
        + [
            hex, "sha256:\(hex):", "a:b:c", "sha256:", "sha256:\(hex.uppercased())", "sha256:\(hex.dropLast())",
            "sha256:\(hex)0",
        ].map { text in
            Refused("digest \(text)", 400, "invalid digest format '\(text)'", query("namespace=ns&digest=\(text)"))
        }
        + ["md5", "SHA256", ""].map { name in
            Refused(
                "algorithm \(name)",
                400,
                "invalid hash type '\(name)'",
                query("namespace=ns&digest=\(name):\(hex)")
            )
        }

    private static let notJSON = "X-Temporal-Metadata header is not a JSON object of strings: "

    private static let metadata =
        ["!", "e30", "e30=, e30="].map { text in
            Refused("metadata \(text)", 400, "X-Temporal-Metadata header is not valid base64") {
                $0.headers.temporalMetadata = sent(text)
            }
        }
        + [
            Refused("no metadata", 400, "\(notJSON)expected '{' at byte 0") { $0.headers.temporalMetadata = nil }
        ]
        + [
            ("{", "expected '\"' at byte 1"), ("[]", "expected '{' at byte 0"), ("\"a\"", "expected '{' at byte 0"),
            ("{\"a\":1}", "expected '\"' at byte 5"), ("{\"a\":{}}", "expected '\"' at byte 5"),
            ("{\"a\":\"MQ==\"}x", "text after the value at byte 12"),
        ].map { json, reason in
            Refused("metadata \(json)", 400, notJSON + reason) { $0.metadata(json) }
        }
        + [
            Refused(
                "a value that is no base64",
                400,
                "X-Temporal-Metadata header: the value of 'a' is not valid base64"
            ) { $0.metadata(#"{"a":"!"}"#) }
        ]

    private static let prefixes = [
        "a b", "../x", "a.b", "ä", String(repeating: "p", count: 201), String(repeating: "p/", count: 257),
    ].map { prefix in
        Refused("prefix \(prefix)", 400, "'\(prefix)' is not a valid prefix") { $0.prefix(prefix) }
    }

    private static let bodies =
        ["hello worle", "", "hello world!"].map { text in
            Refused("body '\(text)'", 400, "checksum mismatch") {
                $0.body = bytes(text)
                $0.headers.contentLength = sent("\(text.utf8.count)")
            }
        } + [
            Refused("a body shorter than announced", 400, "checksum mismatch") {
                $0.headers.contentLength = sent("12")
            },
            Refused("a body longer than announced", 400, "checksum mismatch") {
                $0.headers.contentLength = sent("10")
            },
        ]

    @Test(arguments: Setup.disk)
    func `Each required value of an upload is refused if it is missing or wrong, and nothing is stored`(setup: Setup)
        throws
    {
        let fixture = try ServiceFixture(setup, maximumPayload: 1000)
        let good = Asked.put(helloWorld)
        for table in [Self.type, Self.length, Self.namespaces, Self.digests, Self.metadata, Self.prefixes, Self.bodies]
        {
            for refused in table { try fixture.expect(refused, good.with(refused.change)) }
        }
        #expect(try fixture.store.contents().isEmpty)
        #expect(try fixture.ask(good).status == 201)
    }

    @Test(arguments: Setup.disk) func `Other methods than PUT are refused, and Allow names PUT`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup)
        for method in ["GET", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "put", ""] {
            let answer = try fixture.ask(Asked(method, "/v2/blobs/put"))
            expectRefusal(answer, 405, "method \(method) is not allowed, use PUT")
            #expect(answer.headers["Allow"] == "PUT")
        }
    }

    // MARK: Order

    /// One failure of each check, in the order of the table.
    private static let checks = [
        Refused("method", 405, "method POST is not allowed, use PUT") { $0.method = "POST" },
        type[0], length[0], length[2], length[1], namespaces[0], namespaces[2],
        Refused("tenancy", 403, "namespace 'ns' is not allowed for this caller") { $0.allowed = "others" },
        Refused("no digest", 400, "digest query parameter is required", query("namespace=ns")),
        digests[2], digests[9], metadata[0], prefixes[0],
        Refused("space", 507, "store has …") { _ in },
        bodies[0],
    ]

    @Test(arguments: Setup.disk) func `An upload that fails several checks is answered with the table's first one`(
        setup: Setup
    ) throws {
        let full = try ServiceFixture(setup, reserve: .max, maximumPayload: 1000)
        for (index, expected) in Self.checks.dropLast().enumerated() {
            // Applied last, so that no other change overwrites the first check's field.
            let asked = Self.checks[index...].reversed().reduce(Asked.put(helloWorld)) { $0.with($1.change) }
            try full.expect(expected, asked)
        }
        #expect(try full.store.contents().isEmpty)
    }
}
