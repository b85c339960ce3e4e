import Foundation
import TestSupport
import Testing

@testable import PayloadService

/// The wire contract's table of refused downloads.
@Suite(.runLimit) struct GetRefusalTests {
    /// The key of ``helloWorld`` in `ns`, without metadata.
    private static let key = "/blobs/ns/common/\(helloWorldDigest)/\(Stack.digest([]))"

    private static let type = ["text/plain", nil].map { value in
        Refused("Content-Type \(value ?? "none")", 400, "missing or incorrect Content-Type header") {
            $0.headers.contentType = value.map(sent)
        }
    }

    private static let length =
        [
            Refused("no length", 400, "expected content length header is required") {
                $0.headers.expectedContentLength = nil
            }
        ]
        + [
            ("abc", "not a decimal number without sign"), ("-1", "not a decimal number without sign"),
            ("+11", "not a decimal number without sign"), ("1 1", "not a decimal number without sign"),
            ("11, 11", "not a decimal number without sign"), ("99999999999999999999", "does not fit 64 bits"),
        ].map { value, reason in
            Refused("length \(value)", 400, "expected content length header \(value) is invalid: \(reason)") {
                $0.headers.expectedContentLength = sent(value)
            }
        }
        + ["10", "12", "0"].map { value in
            Refused("length \(value)", 412, "payload has 11 bytes, expected \(value)") {
                $0.headers.expectedContentLength = sent(value)
            }
        }

    private static let noKey = ["", "key=", "Key=x"].map { query in
        Refused("query '\(query)'", 400, "key query parameter is required") { $0.query = query }
    }

    private static let notFound =
        [
            "x", "/", "..", "/blobs/../../etc/passwd", "\(key)/", "\(key)\0", "%", "%00", "%2e%2e%2f",
            String(key.dropLast()), key.uppercased(), key.replacingOccurrences(of: "/ns/", with: "/../"),
            key.replacingOccurrences(of: "common", with: "custom/.."), String(repeating: "/", count: 1000),
            key.replacingOccurrences(of: "/ns/", with: "/other/"), String(key.dropFirst()),
            key.replacingOccurrences(of: "common", with: "custom/team"),
            "/blobs/ns/common/\(helloWorldDigest)/\(Stack.digest([1]))",
        ].map(Stack.escape).map(missing) + ["%", "%%", "%zz", "%00", "%2", "+", "%ff%fe"].map(missing)

    private static func missing(_ escaped: String) -> Refused {
        Refused("key \(escaped.prefix(100))", 404, "blob not found") { $0.query = "key=\(escaped)" }
    }

    @Test(arguments: Setup.disk)
    func `Each required value of a download is refused if it is missing or wrong`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup)
        #expect(try fixture.store(helloWorld) == Self.key)
        let good = Asked.get(Self.key, length: 11)
        for table in [Self.type, Self.length, Self.noKey, Self.notFound] {
            for refused in table { try fixture.expect(refused, good.with(refused.change)) }
        }
        #expect(try fixture.ask(good).body == helloWorld)
    }

    @Test(arguments: Setup.disk) func `Other methods than GET are refused, and Allow names GET`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup)
        for method in ["PUT", "POST", "DELETE", "HEAD", "get"] {
            let answer = try fixture.ask(Asked(method, "/v2/blobs/get"))
            expectRefusal(answer, 405, "method \(method) is not allowed, use GET")
            #expect(answer.headers["Allow"] == "GET")
        }
    }

    /// One failure of each check, in the order of the table.
    private static let checks = [
        Refused("method", 405, "method POST is not allowed, use GET") { $0.method = "POST" },
        type[0], length[0], length[1], noKey[0], notFound[0],
        Refused("tenancy", 403, "namespace 'ns' is not allowed for this caller") { $0.allowed = "others" },
        Refused("not stored", 404, "blob not found") {
            $0.query = "key=\(Stack.escape(key.replacingOccurrences(of: helloWorldDigest, with: Stack.digest([1]))))"
        },
        length[7],
        Refused("If-Match", 412, "the payload's tag is \"\(helloWorldDigest)\"") {
            $0.headers.ifMatch = sent("\"other\"")
        },
        Refused("range", 416, "range is outside the payload's 11 bytes") { $0.headers.range = sent("bytes=11-") },
    ]

    @Test(arguments: Setup.disk) func `A download that fails several checks is answered with the table's first one`(
        setup: Setup
    ) throws {
        let fixture = try ServiceFixture(setup)
        _ = try fixture.store(helloWorld)
        for (index, expected) in Self.checks.enumerated() {
            let asked = Self.checks[index...].reversed().reduce(Asked.get(Self.key, length: 11)) { $0.with($1.change) }
            try fixture.expect(expected, asked)
        }
    }
}
