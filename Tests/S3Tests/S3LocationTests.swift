import Foundation
import TestSupport
import Testing

@testable import S3

@Suite(.runLimit) struct S3LocationTests {
    private func location(_ url: String, _ variables: [String: String] = [:]) throws -> S3Location {
        try S3Location(parsing: url) { variables[$0] }
    }

    private func message(_ url: String, _ variables: [String: String] = [:]) -> String {
        do {
            return "no error, but \(try location(url, variables))"
        } catch {
            return "\(error)"
        }
    }

    @Test func `A URL is parsed and percent-decoded`() throws {
        let full = try location(
            "s3://payloads/team%20a/2026?endpoint=https%3A%2F%2Fs3.example.com:9000&region=garage&path-style=false"
                + "&storage-class=STANDARD_IA&sse=aws:kms&sse-kms-key-id=arn:aws:kms:eu-central-1:1:key%2F2"
        )
        #expect(full.bucket == "payloads")
        #expect(full.prefix == Array("team a/2026".utf8))
        #expect(full.origin == "https://payloads.s3.example.com:9000")
        #expect(full.region == "garage")
        #expect(
            full.newObject.map { "\($0.name): \($0.value)" } == [
                "x-amz-storage-class: STANDARD_IA", "x-amz-server-side-encryption: aws:kms",
                "x-amz-server-side-encryption-aws-kms-key-id: arn:aws:kms:eu-central-1:1:key/2",
            ]
        )
        for url in ["s3://payloads?region=r", "s3://payloads/?region=r"] {
            let bare = try location(url)
            #expect(bare.prefix.isEmpty && bare.newObject.isEmpty)
        }
    }

    @Test(arguments: [
        ("s3://payloads?region=eu-central-1", "https://payloads.s3.eu-central-1.amazonaws.com"),
        ("s3://payloads?region=cn-north-1", "https://payloads.s3.cn-north-1.amazonaws.com.cn"),
        ("s3://payloads?region=eu-central-1&path-style=true", "https://s3.eu-central-1.amazonaws.com"),
        // These names match no certificate, or are not host names.
        ("s3://pay.loads?region=eu-central-1", "https://s3.eu-central-1.amazonaws.com"),
        ("s3://pay.loads?region=eu-central-1&path-style=false", "https://pay.loads.s3.eu-central-1.amazonaws.com"),
        ("s3://Payloads?region=eu-central-1", "https://s3.eu-central-1.amazonaws.com"),
        ("s3://pay_loads?region=eu-central-1", "https://s3.eu-central-1.amazonaws.com"),
        ("s3://-payloads?region=eu-central-1", "https://s3.eu-central-1.amazonaws.com"),
        ("s3://payloads?endpoint=http://minio", "http://minio"),
        ("s3://payloads?endpoint=http://minio/", "http://minio"),
        ("s3://payloads?endpoint=http://minio:80", "http://minio"),
        ("s3://payloads?endpoint=http://minio:", "http://minio"),
        ("s3://payloads?endpoint=http://minio:443", "http://minio:443"),
        ("s3://payloads?endpoint=https://minio:443", "https://minio"),
        ("s3://payloads?endpoint=https://minio:80", "https://minio:80"),
        ("s3://payloads?endpoint=http://MinIO_1.Example.com:9000", "http://minio_1.example.com:9000"),
        ("s3://payloads?endpoint=http://minio:9000&path-style=true", "http://minio:9000"),
        ("s3://payloads?endpoint=http://minio:9000&path-style=false", "http://payloads.minio:9000"),
        ("s3://pay.loads?endpoint=http://minio:9000&path-style=false", "http://pay.loads.minio:9000"),
        ("s3://payloads?endpoint=http://127.0.0.1:8333", "http://127.0.0.1:8333"),
        ("s3://payloads?endpoint=http://[::1]:8333", "http://[::1]:8333"),
        ("s3://payloads?endpoint=https://[FD00::1]", "https://[fd00::1]"),
    ])
    func `The host follows from the URL`(_ url: String, _ origin: String) throws {
        let location = try location(url)
        #expect(location.origin == origin)
        #expect(location.isPathStyle == !location.host.hasPrefix(location.bucket + "."))
    }

    @Test func `Without an endpoint, the one configured for the AWS tools is used`() throws {
        let aws = try AWSFixture()
        func expect(_ origin: String, _ query: String = "", isAWS: Bool = false) throws {
            let location = try S3Location(parsing: "s3://payloads\(query)") { aws[$0] }
            #expect(location.origin == origin)
            #expect(location.isPathStyle == !isAWS)
        }
        try aws.writeConfiguration(
            """
            [default]
            endpoint_url = http://all
            services = mine
            [services mine]
            ec2 =
              endpoint_url = http://ec2
            """
        )
        try expect("http://all")
        try aws.writeConfiguration(
            """
            [services mine]
            s3 =
              endpoint_url = http://s3 # of ours
              max_concurrent_requests = 20
            dynamodb =
              endpoint_url = http://dynamodb
            [default]
            services = mine
            endpoint_url = http://all
            [profile mine]
            endpoint_url = http://mine
            [profile aws]
            endpoint_url = http://mine
            ignore_configured_endpoint_urls = true
            """
        )
        try expect("http://s3")
        aws["AWS_PROFILE"] = "mine"
        try expect("http://mine")
        aws["AWS_PROFILE"] = "aws"
        try expect("https://payloads.s3.r.amazonaws.com", "?region=r", isAWS: true)
        aws["AWS_PROFILE"] = nil
        aws["AWS_ENDPOINT_URL"] = "http://variable"
        try expect("http://variable")
        aws["AWS_ENDPOINT_URL_S3"] = "https://variable-s3:9000/"
        try expect("https://variable-s3:9000")
        try expect("http://url", "?endpoint=http://url")
        aws["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true"
        try expect("https://payloads.s3.r.amazonaws.com", "?region=r", isAWS: true)
    }

    @Test func `In a path, all bytes of a key except slashes and unreserved characters are encoded`() throws {
        let inPath = try location("s3://payloads/team%20a?endpoint=http://minio")
        let key = inPath.objectKey(of: Array("/blobs/ns/sha256:0a".utf8))
        #expect(key == Array("team a/blobs/ns/sha256:0a".utf8))
        #expect(inPath.path(of: key) == "/payloads/team%20a/blobs/ns/sha256%3A0a")
        #expect(inPath.path(of: Array("//a/./../b/".utf8) + [0xFF, 0]) == "/payloads///a/./../b/%FF%00")
        #expect(inPath.bucketPath == "/payloads")
        let inHost = try location("s3://payloads?region=eu-central-1")
        #expect(inHost.path(of: inHost.objectKey(of: Array("/blobs/a+b".utf8))) == "//blobs/a%2Bb")
        #expect(inHost.bucketPath == "/")
    }

    @Test func `The region comes from the URL, the environment or the profile, in that order`() throws {
        let folder = try TemporaryFolder()
        try write("[default]\nregion = from-profile\n".utf8, to: folder.file("config"))
        var variables = [
            "AWS_REGION": "from-region", "AWS_DEFAULT_REGION": "from-default", "AWS_CONFIG_FILE": folder.file("config"),
        ]
        #expect(try location("s3://payloads?region=from-url", variables).region == "from-url")
        #expect(try location("s3://payloads", variables).region == "from-region")
        variables["AWS_REGION"] = ""
        #expect(try location("s3://payloads", variables).region == "from-default")
        variables["AWS_DEFAULT_REGION"] = nil
        #expect(try location("s3://payloads", variables).host == "payloads.s3.from-profile.amazonaws.com")
        #expect(try location("s3://payloads?endpoint=http://minio", variables).region == "from-profile")
        #expect(try location("s3://payloads?endpoint=http://minio").region == "us-east-1")
    }

    // MARK: Errors

    /// Messages, each with the URLs that cause it, without their scheme, and the text that replaces the dot.
    private static let errors: KeyValuePairs<String, [String: String]> = [
        "the bucket's name is '•', expected 3 to 255 letters, digits, '.', '-' and '_'": [
            "pay%20loads": "pay%20loads", "": "", "/prefix": "", "...": "...",
            "pay\u{301}loads\n": "pay\u{301}loads\\n",
        ],
        "the prefix is '•', expected up to 512 bytes of UTF-8, without empty, '.' and '..' segments and control "
            + "characters": ["payloads/a//b": "a//b"],
        "the prefix is '•': a '%' is not followed by two hex digits": ["payloads/%2": "%2"],
        "region is '•', expected a region like eu-central-1": ["payloads?region=": "", "payloads?region=a%2Fb": "a/b"],
        "the region is '•', expected one of AWS's, or endpoint=… in the store's URL": ["payloads?region=a_b": "a_b"],
        "no region: expected region=… in the store's URL, AWS_REGION, AWS_DEFAULT_REGION or a region in the profile":
            ["payloads": ""],
        "the store's URL has '•' twice, expected it once": ["payloads?region=a&region=b": "region"],
        "region has a '%' that is not followed by two hex digits, expected %25": ["payloads?region=%zz": ""],
        "the store's URL has a parameter '•', expected one of endpoint, region, path-style, storage-class, sse, "
            + "sse-kms-key-id": ["payloads?endpont=http://minio": "endpont", "payloads?Region=a": "Region"],
        "path-style is '•', expected true or false": [
            "payloads?region=r&path-style=yes": "yes", "payloads?region=r&path-style": "",
        ],
        "storage-class is '•', expected letters, digits, '-' and '_', like STANDARD_IA": [
            "payloads?region=r&storage-class=a%0Ab": "a\\nb"
        ],
        "sse is '•', expected AES256, aws:kms or aws:kms:dsse": ["payloads?region=r&sse=aes256": "aes256"],
        "sse-kms-key-id is '•', expected a key's name, without white space": [
            "payloads?region=r&sse=aws:kms&sse-kms-key-id=a%0d%0ab": "a\\r\\nb"
        ],
        "sse is '•', expected aws:kms or aws:kms:dsse with sse-kms-key-id": [
            "payloads?region=r&sse-kms-key-id=a": "", "payloads?region=r&sse=AES256&sse-kms-key-id=a": "AES256",
        ],
        "the store's URL has a '#', expected %23 where a name has one": ["payloads?region=r#a": ""],
        "path-style is 'false', expected 'true': '•' is an address, which has no subdomains": [
            "payloads?endpoint=http://127.0.0.1&path-style=false": "127.0.0.1",
            "payloads?endpoint=http://[::1]&path-style=false": "::1",
        ],
        "path-style is 'false', expected 'true': '•' can't be part of a host's name": [
            "Payloads?region=r&path-style=false": "Payloads"
        ],
    ]

    @Test func `The error names the wrong value and the expected one`() {
        for (expected, values) in Self.errors {
            for (url, value) in values {
                #expect(message("s3://" + url) == expected.replacingOccurrences(of: "•", with: value))
            }
        }
        #expect(
            message("https://payloads.s3.amazonaws.com")
                == "the store's URL does not begin with s3://, expected s3://BUCKET[/PREFIX]?NAME=VALUE…"
        )
    }

    @Test func `The error names the source of an invalid endpoint or region`() throws {
        let aws = try AWSFixture()
        func expect(_ expected: String) {
            do {
                Issue.record("no error, but \(try S3Location(parsing: "s3://payloads") { aws[$0] })")
            } catch {
                #expect("\(error)" == expected)
            }
        }
        let endpoint = "expected http://HOST[:PORT] or https://HOST[:PORT], without"
        let region = "expected a region like eu-central-1"
        try aws.writeConfiguration("[default]\nregion = a/b\n")
        expect("the profile's region is 'a/b', \(region)")
        aws["AWS_REGION"] = "eu central"
        expect("AWS_REGION is 'eu central', \(region)")
        try aws.writeConfiguration("[default]\nendpoint_url = http://minio/path\n")
        expect("the profile's endpoint_url is 'http://minio/path', \(endpoint) a path")
        try aws.writeConfiguration("region\n")
        expect("profile: \(aws.configurationFile), line 1: expected a [SECTION] before it")
        aws["AWS_ENDPOINT_URL_S3"] = "minio:9000"
        expect("AWS_ENDPOINT_URL_S3 is 'minio:9000', \(endpoint) a path")
        aws["AWS_ENDPOINT_URL_S3"] = "http://user:secret@minio"
        expect("AWS_ENDPOINT_URL_S3 has an '@', \(endpoint) user and password")
    }

    @Test(arguments: [
        "minio", "ftp://minio", "HTTP://minio", "http://", "http:///", "http://minio/path", "http://minio//",
        "http://minio?a", "http://minio:x", "http://minio:0", "http://minio:65536", "http://minio:-1",
        "http://minio:+1", "http://minio:80:80", "http://min io", "http://minio%0d%0aHost: b", "http://minio%00",
        "http://..", "http://minio..example.com", "http://minio.", "http://::1", "http://[::1", "http://[::1]x",
        "http://[minio]", "http://[127.0.0.1]", "http://[::1%2500]", "http://[fe80::1%25eth0]", "http://m\u{ef}nio",
    ])
    func `An endpoint that is not scheme, host and port is refused`(_ endpoint: String) {
        let message = message("s3://payloads?endpoint=\(endpoint)")
        #expect(message.hasPrefix("endpoint is '"))
        #expect(message.hasSuffix("', expected http://HOST[:PORT] or https://HOST[:PORT], without a path"))
        #expect(!message.contains { $0.isNewline })
    }

    @Test(arguments: [
        "s3://AKIAIOSFODNN7EXAMPLE:hunter2@payloads", "s3://hunter2@payloads/prefix?region=r",
        "s3://a:hunter2/b@payloads",
        "s3://payloads:hunter2", "s3://payloads?endpoint=http://a:hunter2@minio",
        "s3://payloads?endpoint=hunter2@minio",
        "s3://payloads?endpoint=http://a%3Ahunter2%40minio", "s3://payloads?secret-key=hunter2&region=r",
        "s3://payloads?X-Amz-Security-Token=hunter2", "https://a:hunter2@minio/payloads", "s3:/a:hunter2@payloads",
    ])
    func `Secrets in a URL are refused, but not printed`(_ url: String) {
        let message = message(url)
        #expect(!message.contains("hunter2"))
        #expect(message.contains("expected"))
    }

    @Test(arguments: [
        "abc", "a.b-c_D9", String(repeating: "b", count: 255), "192.168.5.4", "xn--payloads", "payloads-s3alias",
    ])
    func `Bucket names by AWS's current and former rules are accepted`(_ name: String) throws {
        #expect(try location("s3://\(name)?endpoint=http://minio").bucketPath == "/\(name)")
        #expect(
            message("s3://\(name)\(String(repeating: "c", count: 253))?endpoint=http://minio").contains("bucket's name")
        )
    }

    @Test(arguments: [
        "a/./b", "../b", ".", "..", "a/..", "/a", "a//", "/", "a%2F%2Fb", "a%2F..%2Fb", "a%00b", "a%0Ab", "a%7F",
        "a%FF",
        "%C3", "%ED%A0%80", String(repeating: "a", count: 513),
    ])
    func `A prefix with ambiguous segments or without UTF-8 is refused`(_ prefix: String) {
        let message = message("s3://payloads/\(prefix)?region=r")
        #expect(message.hasPrefix("the prefix is '"))
        #expect(!message.contains { $0.isNewline })
    }

    @Test func `A prefix can be UTF-8, encoded or not, with a trailing slash`() throws {
        for url in ["s3://payloads/gr%C3%BC%C3%9Fe/a?region=r", "s3://payloads/grüße/a/?region=r"] {
            #expect(try location(url).prefix == Array("grüße/a".utf8))
        }
    }

    @Test func `Any text is a location, or gives a one-line error`() {
        let pieces = [
            "s3://", "payloads", "/", "?", "&", "=", "%", "%2F", "%00", "..", ":", "@", "[", "]", "[::1]", "#", "\n",
            "é", "http://",
            "endpoint=", "region=", "path-style=false", "sse=", "aws:kms", "sse-kms-key-id=", "storage-class=", "80",
        ]
        for text in randomTexts(5000, of: pieces, longest: 9) {
            for url in ["s3://payloads?\(text)", "s3://\(text)"] {
                #expect(!message(url, ["AWS_REGION": "r"]).contains { $0.isNewline })
            }
        }
    }
}
