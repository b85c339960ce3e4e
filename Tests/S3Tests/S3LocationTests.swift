import TestSupport
import Testing

@testable import S3

@Suite(.runLimit) struct S3LocationTests {
    private static let aws = "s3://payloads?region=eu-central-1"

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

    @Test func `Has all that a URL says, percent-decoded`() throws {
        let location = try location(
            "s3://payloads/team%20a/2026?endpoint=https%3A%2F%2Fs3.example.com:9000&region=garage&path-style=false"
                + "&storage-class=STANDARD_IA&sse=aws:kms&sse-kms-key-id=arn:aws:kms:eu-central-1:1:key%2F2"
        )
        #expect(location.bucket == "payloads")
        #expect(location.prefix == Array("team a/2026".utf8))
        #expect(location.isTLS)
        #expect(location.host == "payloads.s3.example.com:9000")
        #expect(location.origin == "https://payloads.s3.example.com:9000")
        #expect(location.region == "garage")
        #expect(!location.isPathStyle)
        #expect(location.storageClass == "STANDARD_IA")
        #expect(location.encryption?.algorithm == "aws:kms")
        #expect(location.encryption?.kmsKeyID == "arn:aws:kms:eu-central-1:1:key/2")
    }

    @Test func `Has no prefix, storage class and encryption when the URL has none`() throws {
        for url in ["s3://payloads?region=r", "s3://payloads/?region=r"] {
            let location = try location(url)
            #expect(location.prefix.isEmpty)
            #expect(location.storageClass == nil)
            #expect(location.encryption == nil)
        }
        #expect(try location("s3://payloads?region=r&sse=AES256").encryption?.kmsKeyID == nil)
    }

    @Test(arguments: [
        ("s3://payloads?region=eu-central-1", "https://payloads.s3.eu-central-1.amazonaws.com"),
        ("s3://payloads?region=cn-north-1", "https://payloads.s3.cn-north-1.amazonaws.com.cn"),
        ("s3://payloads?region=eu-central-1&path-style=true", "https://s3.eu-central-1.amazonaws.com"),
        // What no certificate matches, and what is no host's name.
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
    func `Finds the host`(_ url: String, _ origin: String) throws {
        let location = try location(url)
        #expect(location.origin == origin)
        #expect(location.isTLS == origin.hasPrefix("https"))
        #expect(location.isPathStyle == !location.host.hasPrefix(location.bucket + "."))
    }

    @Test func `Without an endpoint, takes the one that the AWS tools would take, in their order`() throws {
        let aws = try AWSFixture()
        func origin(_ query: String = "") throws -> String {
            let location = try S3Location(parsing: "s3://payloads\(query)") { aws[$0] }
            #expect(location.region == "us-east-1")
            #expect(location.isPathStyle)
            return location.origin
        }
        func configure(_ text: String) throws { try write(text.utf8, to: aws.configurationFile) }
        try configure(
            """
            [default]
            endpoint_url = http://all
            services = mine
            [services mine]
            ec2 =
              endpoint_url = http://ec2
            """
        )
        #expect(try origin() == "http://all")
        try configure(
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
            """
        )
        #expect(try origin() == "http://s3")
        aws["AWS_ENDPOINT_URL"] = "http://variable"
        #expect(try origin() == "http://variable")
        aws["AWS_ENDPOINT_URL_S3"] = "https://variable-s3:9000/"
        #expect(try origin() == "https://variable-s3:9000")
        #expect(try origin("?endpoint=http://url") == "http://url")
        aws["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true"
        let location = try S3Location(parsing: "s3://payloads?region=eu-west-1") { aws[$0] }
        #expect(location.origin == "https://payloads.s3.eu-west-1.amazonaws.com")
    }

    @Test func `A profile may have an endpoint, or none of those that are configured`() throws {
        let aws = try AWSFixture()
        try write(
            """
            [profile mine]
            endpoint_url = http://mine
            region = here
            [profile aws]
            endpoint_url = http://mine
            ignore_configured_endpoint_urls = true
            """.utf8,
            to: aws.configurationFile
        )
        aws["AWS_PROFILE"] = "mine"
        let location = try S3Location(parsing: "s3://payloads") { aws[$0] }
        #expect(location.origin == "http://mine")
        #expect(location.region == "here")
        aws["AWS_PROFILE"] = "aws"
        #expect(try S3Location(parsing: "s3://payloads?region=r") { aws[$0] }.host == "payloads.s3.r.amazonaws.com")
    }

    @Test func `Names the variable or the profile whose endpoint is none`() throws {
        #expect(
            message("s3://payloads", ["AWS_ENDPOINT_URL_S3": "minio:9000"])
                == "AWS_ENDPOINT_URL_S3 is 'minio:9000', expected http://HOST[:PORT] or https://HOST[:PORT], without a path"
        )
        #expect(!message("s3://payloads", ["AWS_ENDPOINT_URL": "http://user:secret@minio"]).contains("secret"))
        let aws = try AWSFixture()
        try write("[default]\nendpoint_url = http://minio/path\n".utf8, to: aws.configurationFile)
        #expect(throws: S3LocationError.self) { try S3Location(parsing: "s3://payloads") { aws[$0] } }
    }

    @Test func `Encodes each byte of a key but slashes and unreserved characters, and leaves nothing out`() throws {
        let inPath = try location("s3://payloads/team%20a?endpoint=http://minio")
        let key = inPath.objectKey(of: Array("/blobs/ns/sha256:0a".utf8))
        #expect(key == Array("team a/blobs/ns/sha256:0a".utf8))
        #expect(inPath.path(of: key) == "/payloads/team%20a/blobs/ns/sha256%3A0a")
        #expect(inPath.path(of: Array("//a/./../b/".utf8) + [0xFF, 0]) == "/payloads///a/./../b/%FF%00")
        #expect(inPath.bucketPath == "/payloads")
        let inHost = try location(Self.aws)
        #expect(inHost.path(of: inHost.objectKey(of: Array("/blobs/a+b".utf8))) == "//blobs/a%2Bb")
        #expect(inHost.bucketPath == "/")
    }

    // MARK: Region

    @Test func `Takes the region from the URL, the environment or the profile, in that order`() throws {
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
        #expect(try location("s3://payloads", variables).region == "from-profile")
        #expect(try location("s3://payloads", variables).host == "payloads.s3.from-profile.amazonaws.com")
        #expect(try location("s3://payloads?endpoint=http://minio", variables).region == "from-profile")
    }

    @Test func `Without a region, an endpoint's is us-east-1, and AWS's is an error`() throws {
        #expect(try location("s3://payloads?endpoint=http://minio").region == "us-east-1")
        #expect(
            message("s3://payloads") == "no region: expected region=… in the store's URL, AWS_REGION, "
                + "AWS_DEFAULT_REGION or a region in the profile"
        )
    }

    @Test func `Names the variable or the file with a region that is none`() throws {
        #expect(
            message("s3://payloads", ["AWS_REGION": "eu central"])
                == "AWS_REGION is 'eu central', expected a region like eu-central-1"
        )
        let folder = try TemporaryFolder()
        try write("[default]\nregion = a/b\n".utf8, to: folder.file("config"))
        #expect(
            message("s3://payloads", ["AWS_CONFIG_FILE": folder.file("config")])
                == "the profile's region is 'a/b', expected a region like eu-central-1"
        )
        try write("region\n".utf8, to: folder.file("config"))
        #expect(
            message("s3://payloads", ["AWS_CONFIG_FILE": folder.file("config")])
                == "profile: \(folder.file("config")), line 1: expected a [SECTION] before it"
        )
    }

    // MARK: Errors

    @Test func `Names what is wrong and what is expected`() {
        func expect(_ starts: [String: String], _ expected: String) {
            for (url, start) in starts { #expect(message("s3://" + url) == start + expected) }
        }
        expect(
            [
                "pay%20loads": "the bucket's name is 'pay%20loads'", "": "the bucket's name is ''",
                "/prefix": "the bucket's name is ''", "...": "the bucket's name is '...'",
                "pay\u{301}loads\n": "the bucket's name is 'pay\u{301}loads\\n'",
            ],
            ", expected 3 to 255 letters, digits, '.', '-' and '_'"
        )
        expect(
            ["payloads/a//b": "the prefix is 'a//b'"],
            ", expected up to 512 bytes of UTF-8, without empty, '.' and '..' segments and control characters"
        )
        expect(["payloads/%2": "the prefix is '%2'"], ": a '%' is not followed by two hex digits")
        expect(
            ["payloads?region=": "region is ''", "payloads?region=a%2Fb": "region is 'a/b'"],
            ", expected a region like eu-central-1"
        )
        expect(
            ["payloads?region=a_b": "the region is 'a_b'"],
            ", expected one of AWS's, or endpoint=… in the store's URL"
        )
        expect(["payloads?region=a&region=b": "the store's URL has 'region' twice"], ", expected it once")
        expect(
            ["payloads?region=%zz": "region has a '%'"],
            " that is not followed by two hex digits, expected %25"
        )
        expect(
            [
                "payloads?endpont=http://minio": "the store's URL has a parameter 'endpont'",
                "payloads?Region=a": "the store's URL has a parameter 'Region'",
            ],
            ", expected one of endpoint, region, path-style, storage-class, sse, sse-kms-key-id"
        )
        expect(
            [
                "payloads?region=r&path-style=yes": "path-style is 'yes'",
                "payloads?region=r&path-style": "path-style is ''",
            ],
            ", expected true or false"
        )
        expect(
            ["payloads?region=r&storage-class=a%0Ab": "storage-class is 'a\\nb'"],
            ", expected letters, digits, '-' and '_', like STANDARD_IA"
        )
        expect(["payloads?region=r&sse=aes256": "sse is 'aes256'"], ", expected AES256, aws:kms or aws:kms:dsse")
        expect(
            ["payloads?region=r&sse=aws:kms&sse-kms-key-id=a%0d%0ab": "sse-kms-key-id is 'a\\r\\nb'"],
            ", expected a key's name, without white space"
        )
        expect(
            [
                "payloads?region=r&sse-kms-key-id=a": "sse is ''",
                "payloads?region=r&sse=AES256&sse-kms-key-id=a": "sse is 'AES256'",
            ],
            ", expected aws:kms or aws:kms:dsse beside sse-kms-key-id"
        )
        expect(["payloads?region=r#a": "the store's URL has a '#'"], ", expected %23 where a name has one")
        expect(
            [
                "payloads?endpoint=http://127.0.0.1&path-style=false":
                    "'127.0.0.1' is an address, which has no subdomains",
                "payloads?endpoint=http://[::1]&path-style=false": "'::1' is an address, which has no subdomains",
                "Payloads?region=r&path-style=false": "'Payloads' can't be part of a host's name",
            ].mapValues { "path-style is 'false', expected 'true': \($0)" },
            ""
        )
        #expect(
            message("https://payloads.s3.amazonaws.com")
                == "the store's URL does not begin with s3://, expected s3://BUCKET[/PREFIX]?NAME=VALUE…"
        )
    }

    @Test(arguments: [
        "minio", "ftp://minio", "HTTP://minio", "http://", "http:///", "http://minio/path", "http://minio//",
        "http://minio?a", "http://minio:x", "http://minio:0", "http://minio:65536", "http://minio:-1",
        "http://minio:+1", "http://minio:80:80", "http://min io", "http://minio%0d%0aHost: b", "http://minio%00",
        "http://..", "http://minio..example.com", "http://minio.", "http://::1", "http://[::1", "http://[::1]x",
        "http://[minio]", "http://[127.0.0.1]", "http://[::1%2500]", "http://[fe80::1%25eth0]", "http://m\u{ef}nio",
    ])
    func `An endpoint is scheme, host and port`(_ endpoint: String) {
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
    func `Refuses secrets in a URL without printing them`(_ url: String) {
        let message = message(url)
        #expect(!message.contains("hunter2"))
        #expect(message.contains("expected"))
    }

    @Test(arguments: [
        "abc", "a.b-c_D9", String(repeating: "b", count: 255), "192.168.5.4", "xn--payloads", "payloads-s3alias",
    ])
    func `Takes a bucket's name as AWS allows it now, or did`(_ name: String) throws {
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
    func `A prefix has no segment that engines take for another, and is UTF-8`(_ prefix: String) {
        let message = message("s3://payloads/\(prefix)?region=r")
        #expect(message.hasPrefix("the prefix is '"))
        #expect(!message.contains { $0.isNewline })
    }

    @Test func `A prefix may be UTF-8, encoded or not, and have a slash at its end`() throws {
        for url in ["s3://payloads/gr%C3%BC%C3%9Fe/a?region=r", "s3://payloads/grüße/a/?region=r"] {
            #expect(try location(url).prefix == Array("grüße/a".utf8))
        }
    }

    @Test func `Any text is a location or an error of one line`() {
        var random = SplitMix64(state: 7)
        let pieces = [
            "s3://", "payloads", "/", "?", "&", "=", "%", "%2F", "%00", "..", ":", "@", "[", "]", "[::1]", "#", "\n",
            "é", "http://",
            "endpoint=", "region=", "path-style=false", "sse=", "aws:kms", "sse-kms-key-id=", "storage-class=", "80",
        ]
        for _ in 0..<5000 {
            let count = Int.random(in: 0...9, using: &random)
            let text = (0..<count).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
            #expect(!message("s3://payloads?" + text, ["AWS_REGION": "r"]).contains { $0.isNewline })
            #expect(!message("s3://" + text, ["AWS_REGION": "r"]).contains { $0.isNewline })
        }
    }
}
