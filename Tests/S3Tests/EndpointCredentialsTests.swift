import Foundation
import TestSupport
import Testing

@testable import S3

/// Credentials from the endpoints of containers and instances.
@Suite(.runLimit) struct EndpointCredentialsTests {
    /// An endpoint's answer, which expires a quarter of an hour after the fixture's time.
    static func document(_ key: String = "AKIROLE", expiration: String = "1970-01-12T14:01:40Z") -> String {
        """
        {
          "Code" : "Success", "LastUpdated" : "1970-01-12T13:46:40Z", "Type" : "AWS-HMAC", "RoleArn": null,
          "AccessKeyId" : "\(key)", "SecretAccessKey" : "secret\\/role", "Token" : "token-role",
          "Expiration" : "\(expiration)", "Extra": {"a": [1, true]}
        }
        """
    }

    private static let role = Credentials(
        accessKey: "AKIROLE",
        secretKey: "secret/role",
        sessionToken: "token-role",
        expiration: 1_000_900
    )

    // MARK: Containers

    @Test func `A container's relative URI is on ECS's address`() throws {
        let endpoint = ScriptedHTTP { _ in (200, Self.document()) }
        let aws = try AWSFixture()
        aws["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/v2/credentials/1?a=b"
        aws["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://example.com"
        #expect(try aws.source(endpoint.http).credentials() == Self.role)
        #expect(endpoint.requests == ["GET http://169.254.170.2/v2/credentials/1?a=b"])
        #expect(endpoint.headers[0]["authorization"] == nil)
        for path in ["v2/credentials", "@example.com/", "/a b", "/a\r\nHost: b"] {
            aws["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = path
            #expect(aws.failure().hasPrefix("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is '"))
        }
        #expect(endpoint.requests.count == 1)
    }

    @Test func `A container's token is sent, and read from its file each time`() throws {
        let endpoint = ScriptedHTTP { _ in (200, Self.document()) }
        let http = endpoint.http
        let aws = try AWSFixture()
        aws["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://127.0.0.1/get-credentials"
        aws["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "Basic abc"
        #expect(try aws.source(http).credentials() == Self.role)
        aws["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = aws.home.file("token")
        try write("first\n".utf8, to: aws.home.file("token"))
        let source = aws.source(http)
        #expect(try source.credentials() == Self.role)
        try write("second".utf8, to: aws.home.file("token"))
        aws.pass(400)
        #expect(try source.credentials() == Self.role)
        #expect(endpoint.headers.map { $0["authorization"] } == ["Basic abc", "first", "second"])
        #expect(endpoint.requests.last == "GET http://127.0.0.1/get-credentials")
        for token in ["hunter2\nHost: a", "hunter2\u{0}", "\n", "hünter2"] {
            try write(token.utf8, to: aws.home.file("token"))
            #expect(
                aws.failure(http) == "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE holds no token: expected one line of ASCII"
            )
        }
        aws["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = aws.home.file("missing")
        #expect(
            aws.failure(http) == "read \(aws.home.file("missing")) (AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE): "
                + "No such file or directory"
        )
        #expect(endpoint.requests.count == 3)
    }

    @Test(arguments: [
        "http://127.0.0.1:8000/a", "http://127.8.7.6", "http://localhost/a?b", "http://LOCALHOST:80", "http://[::1]/a",
        "http://[0:0:0:0:0:0:0:1]/", "http://169.254.170.2/a", "http://169.254.170.23/v1/credentials",
        "http://[fd00:ec2::23]/v1/credentials", "https://example.com/a",
    ])
    func `The container's token is sent to this machine, to AWS's addresses, or encrypted`(_ url: String) throws {
        let endpoint = ScriptedHTTP { _ in (200, Self.document()) }
        let aws = try AWSFixture()
        aws["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = url
        #expect(try aws.source(endpoint.http).credentials() == Self.role)
    }

    @Test(arguments: [
        "http://example.com/a", "http://10.0.0.1", "http://169.254.170.24", "http://[::2]/", "http://[fd00:ec2::24]/",
        "http://localhost.example.com", "http://127.0.0.1.example.com/", "http://127.0.0.1@example.com/",
        "http://localhost:80@example.com", "http://a:b@127.0.0.1/", "http://example.com#@localhost/",
        "http://example.com?@localhost/", "http:/localhost", "localhost", "file:///etc/passwd", "http://127.1",
        "http://2130706433", "http://127.0.0.1/a b", "http://127.0.0.1/\r\nHost: b", "http://[::ffff:10.0.0.1]",
        "http://",
    ])
    func `The container's token is not sent elsewhere`(_ url: String) throws {
        let aws = try AWSFixture()
        aws["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = url
        let failure = aws.failure()
        #expect(failure.hasPrefix("AWS_CONTAINER_CREDENTIALS_FULL_URI "))
        #expect(failure.contains("expected https://… or http:// with this machine or one of 169.254.170.2"))
        #expect(!failure.contains("was asked"))
    }

    // MARK: Instances

    @Test func `An instance's role is requested with a token`() throws {
        let service = ScriptedHTTP { request in
            if request.hasSuffix("/latest/api/token") { return (200, "the-token") }
            return (200, request.hasSuffix("/") ? "storage+role=1\nother\n" : Self.document())
        }
        let aws = try AWSFixture([:])
        func expectAsked(_ origin: String) throws {
            #expect(try aws.source(service.http).credentials() == Self.role)
            let roles = "\(origin)/latest/meta-data/iam/security-credentials/"
            let asked = ["PUT \(origin)/latest/api/token", "GET \(roles)", "GET \(roles)storage%2Brole%3D1"]
            #expect(service.requests.suffix(3) == asked)
        }
        try expectAsked("http://169.254.169.254")
        #expect(service.headers[0]["x-aws-ec2-metadata-token-ttl-seconds"] == "21600")
        #expect(service.headers[1...].allSatisfy { $0["x-aws-ec2-metadata-token"] == "the-token" })
        aws["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "http://127.0.0.1:1338/"
        try expectAsked("http://127.0.0.1:1338")
        aws.set(["AWS_EC2_METADATA_SERVICE_ENDPOINT": nil, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"])
        try expectAsked("http://[fd00:ec2::254]")
        for endpoint in ["http://127.0.0.1/latest", "127.0.0.1", "http://a:b@127.0.0.1"] {
            aws["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = endpoint
            let expected = "AWS_EC2_METADATA_SERVICE_ENDPOINT is invalid, expected http://HOST[:PORT]"
            #expect(aws.failure(service.http).hasSuffix(expected))
        }
        aws.set(["AWS_EC2_METADATA_SERVICE_ENDPOINT": nil, "AWS_EC2_METADATA_DISABLED": "TRUE"])
        #expect(
            aws.failure(service.http).hasSuffix(
                "the instance's metadata service is disabled (AWS_EC2_METADATA_DISABLED)"
            )
        )
        #expect(service.requests.count == 9)
    }

    @Test(arguments: [
        ("/latest/api/token", 403, "", "answered status 403"),
        ("/latest/api/token", 200, "hunter2\r\nx: y", "answered no token"),
        ("/security-credentials/", 404, "<html>", "answered status 404"),
        ("/security-credentials/", 200, "", "names no role: the instance may have none"),
        ("/security-credentials/", 200, "../user-data", "names no role: the instance may have none"),
        ("/security-credentials/role", 500, "", "answered status 500"),
        ("/security-credentials/role", 302, "", "answered status 302"),
    ])
    func `The error names what the instance's metadata service lacks`(
        _ target: String,
        _ status: Int,
        _ body: String,
        _ expected: String
    ) throws {
        let endpoint = ScriptedHTTP { request in
            guard !request.hasSuffix(target) else { return (status, body) }
            return (200, request.hasSuffix("/") ? "role" : "token")
        }
        let aws = try AWSFixture([:])
        let failure = aws.failure(endpoint.http)
        #expect(failure.hasSuffix("the instance's metadata service \(expected)"))
        #expect(!failure.contains("hunter2"))
        #expect(!failure.contains { $0.isNewline })
    }

    // MARK: Documents

    @Test(arguments: [
        ("", "did not answer with credentials in JSON: expected '{' at byte 0"),
        ("hunter2", "did not answer with credentials in JSON: expected '{' at byte 0"),
        (
            "{\"SecretAccessKey\": \"hunter2\n\"}",
            "did not answer with credentials in JSON: control character in a string"
        ),
        ("{\"SecretAccessKey\": \"hunter2\"} x", "did not answer with credentials in JSON: text after the value"),
        ("{\"SecretAccessKey\": 17}", "did not answer with credentials in JSON: expected"),
        ("{\"SecretAccessKey\": \"hunter2\"}", "AccessKeyId of the service is missing"),
        ("{\"AccessKeyId\": \"A\", \"SecretAccessKey\": null}", "SecretAccessKey of the service is missing"),
        (
            "{\"AccessKeyId\": \"A\", \"SecretAccessKey\": \"hunter2\\r\\na\"}",
            "SecretAccessKey of the service has white space, a control character or more than 16384 bytes"
        ),
        ("{\"Code\": \"Failed\\nhunter\"}", "answered 'Failed\\nhunter' instead of credentials"),
        (document(expiration: "tomorrow"), "answered an Expiration that is not a time in UTC"),
        (document(expiration: "1970-01-12T13:46:40Z"), "the credentials found have expired"),
        (String(repeating: " ", count: 70000), "answered with over 65536 bytes"),
    ])
    func `The error gives the reason for an invalid answer, but not the answer`(_ body: String, _ expected: String)
        throws
    {
        let endpoint = ScriptedHTTP { _ in (200, body) }
        let aws = try AWSFixture()
        aws["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/"
        let failure = aws.failure(endpoint.http)
        let service = "the container's credentials endpoint"
        let named = expected.replacingOccurrences(of: "the service", with: service)
        #expect(failure.hasPrefix("\(service) \(expected)") || failure == named)
        #expect(!failure.contains("hunter2"))
        #expect(!failure.contains { $0.isNewline })
    }

    @Test(arguments: [
        ("2013-05-24T00:00:00Z", 1_369_353_600), ("2024-02-29T23:59:59Z", 1_709_251_199),
        ("2013-05-24T00:00:00.123456Z", 1_369_353_600), ("1969-12-31T23:59:59Z", -1),
        ("2023-02-29T00:00:00Z", nil), ("2013-13-01T00:00:00Z", nil), ("2013-05-24T24:00:00Z", nil),
        ("2013-05-24T00:60:00Z", nil), ("2013-05-24T00:00:00+02:00", nil), ("2013-05-24T00:00:00", nil),
        ("2013-05-24T00:00:00.Z5", nil), ("2013-05-24 00:00:00Z", nil), ("20130524T000000Z", nil), ("", nil),
        ("2013-05-00T00:00:00Z", nil), ("2013-05-24T00:00:00Z ", nil), ("٢٠13-05-24T00:00:00Z", nil),
    ])
    func `The expiration of credentials is parsed`(_ text: String, _ seconds: Int?) {
        #expect(unixSeconds(ofTimestamp: text) == seconds)
    }
}
