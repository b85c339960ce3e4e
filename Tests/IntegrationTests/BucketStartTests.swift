import Foundation
import TestSupport
import Testing

/// How a worker starts on a bucket, and how it ends when it can't.
@Suite(.serialized, .runLimit) struct BucketStartTests {
    /// What keeps a worker from starting.
    struct Mistake: CustomTestStringConvertible {
        let testDescription: String
        /// 78 for what someone must change, 1 for what may pass.
        let status: Int32
        /// What the line names.
        let names: [String]
        var store = "s3://payloads?endpoint=ENDPOINT&path-style=true"
        var options = ["--incoming", "FOLDER"]
        var environment: [String: String] = [:]
    }

    private static let secret = "not-the-secret-of-this-key"
    private static let mistakes = [
        Mistake(
            testDescription: "a wrong secret",
            status: 78,
            names: ["bucket payloads at 127.0.0.1:", "SignatureDoesNotMatch"],
            environment: ["AWS_SECRET_ACCESS_KEY": secret]
        ),
        Mistake(
            testDescription: "an unknown access key",
            status: 78,
            names: ["bucket payloads at 127.0.0.1:", "InvalidAccessKeyId"],
            environment: ["AWS_ACCESS_KEY_ID": "nobody"]
        ),
        Mistake(
            testDescription: "no credentials",
            status: 78,
            names: ["no credentials", "AWS_ACCESS_KEY_ID"],
            environment: ["AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""]
        ),
        Mistake(
            testDescription: "half of the credentials",
            status: 78,
            names: ["AWS_SECRET_ACCESS_KEY"],
            environment: ["AWS_SECRET_ACCESS_KEY": ""]
        ),
        Mistake(
            testDescription: "an unknown profile",
            status: 78,
            names: ["nobody"],
            environment: ["AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "nobody"]
        ),
        Mistake(
            testDescription: "no such bucket",
            status: 78,
            names: ["bucket nowhere at 127.0.0.1:", "NoSuchBucket"],
            store: "s3://nowhere?endpoint=ENDPOINT&path-style=true"
        ),
        Mistake(
            testDescription: "nothing listens",
            status: 1,
            names: ["bucket payloads at 127.0.0.1:1:"],
            store: "s3://payloads?endpoint=http://127.0.0.1:1&path-style=true"
        ),
        Mistake(
            testDescription: "an unknown host",
            status: 1,
            names: ["nowhere.invalid"],
            store: "s3://payloads?endpoint=http://nowhere.invalid&path-style=true"
        ),
        Mistake(
            testDescription: "no S3 engine",
            status: 78,
            names: ["bucket payloads at 127.0.0.1:", "listing"],
            store: "s3://payloads?endpoint=FRONT&path-style=true"
        ),
        Mistake(
            testDescription: "a region that is none",
            status: 78,
            names: ["us east"],
            store: "s3://payloads?endpoint=ENDPOINT&region=us%20east&path-style=true"
        ),
        Mistake(
            testDescription: "a parameter that there is not",
            status: 78,
            names: ["pathstyle"],
            store: "s3://payloads?endpoint=ENDPOINT&pathstyle=true"
        ),
        Mistake(
            testDescription: "no bucket",
            status: 78,
            names: ["bucket's name is ''"],
            store: "s3://?endpoint=ENDPOINT"
        ),
        Mistake(testDescription: "no folder of uploads", status: 78, names: ["--incoming"], options: []),
        Mistake(
            testDescription: "a folder of uploads that is not there",
            status: 78,
            names: ["FOLDER/none"],
            options: ["--incoming", "FOLDER/none"]
        ),
        Mistake(
            testDescription: "quotas",
            status: 78,
            names: ["quotas", "LPS_POLICY"],
            options: ["--incoming", "FOLDER", "--policy", "FOLDER/quotas"]
        ),
        Mistake(
            testDescription: "payloads over 5 GiB",
            status: 78,
            names: ["--max-payload", "5368709121", "5368709120"],
            options: ["--incoming", "FOLDER", "--max-payload", "5368709121"]
        ),
    ]

    private let engine: any S3Engine
    private let folder: TemporaryFolder

    init() throws {
        engine = try TestEngine.shared
        folder = try TemporaryFolder()
        try write("[*]\nquota = 1g\n".utf8, to: folder.file("quotas"))
    }

    private func start(_ mistake: Mistake, _ more: [String]) throws -> (status: Int32, output: String) {
        func filledIn(_ text: String) -> String {
            text.replacingOccurrences(of: "ENDPOINT", with: engine.endpoint)
                .replacingOccurrences(of: "FOLDER", with: folder.path)
        }
        let nobodys = [
            "HOME": folder.path, "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
        ]
        return try run(
            Project.binary("lps-worker"),
            ["--listen", folder.file("\(UUID().uuidString).sock"), "--store", filledIn(mistake.store)]
                + mistake.options.map(filledIn)
                + more,
            environment: engine.environment.merging(nobodys) { $1 }.merging(mistake.environment) { $1 }
        )
    }

    private func expectRefused(_ mistake: Mistake) throws {
        var mistake = mistake
        let front = try mistake.store.contains("FRONT") ? BucketFront(engine, "return 200 'It works';") : nil
        if let front { mistake.store = mistake.store.replacingOccurrences(of: "FRONT", with: "http://\(front.host)") }
        for more in [[], ["--check"]] {
            let ended = try start(mistake, more)
            #expect(ended.status == mistake.status, "\(ended.output)")
            #expect(ended.output.split(separator: "\n").count == 1, "\(ended.output)")
            for name in mistake.names {
                let name = name.replacingOccurrences(of: "FOLDER", with: folder.path)
                #expect(ended.output.contains(name), "\(ended.output)")
            }
            for secret in [engine.secretKey, Self.secret, "Signature="] {
                #expect(!ended.output.contains(secret), "\(ended.output)")
            }
        }
    }

    @Test(arguments: mistakes.filter { $0.status == 78 })
    func `A start that can't be ends with one line that names what is wrong, and no secret`(mistake: Mistake) throws {
        try expectRefused(mistake)
    }

    @Test func `A start without an engine tries for a while, and ends with one line that names it`() throws {
        let mistakes = Self.mistakes.filter { $0.status == 1 }
        try concurrently(mistakes.count) { try expectRefused(mistakes[$0]) }
    }

    @Test(arguments: [(403, "AccessDenied", 78), (400, "InvalidStorageClass", 78), (503, "SlowDown", 1)])
    func `A bucket that can be listed and not written ends a start with one line`(
        status: Int,
        code: String,
        expected: Int32
    ) throws {
        let front = try BucketFront(
            engine,
            "if ($request_method = PUT) { return \(status) '<Error><Code>\(code)</Code></Error>'; }"
        )
        try concurrently(2) { index in
            let mistake = Mistake(
                testDescription: "",
                status: expected,
                names: [],
                store: "s3://payloads?endpoint=http://\(front.host)&path-style=true"
            )
            let ended = try start(mistake, index == 0 ? [] : ["--check"])
            #expect(ended.status == expected, "\(ended.output)")
            #expect(ended.output.split(separator: "\n").count == 1, "\(ended.output)")
            #expect(ended.output.contains("bucket payloads at \(front.host): PUT of an object: \(status) \(code)"))
        }
    }

    @Test func `Workers that start at once find the same of their engine, and one says it in one line`() throws {
        let stack = try Stack(workers: 4, engine: engine)
        let found = try stack.workers.map { worker in
            try eventually("it serves") { worker.log.contains("msg=serving") }
            return worker.log.split(separator: "\n").filter { $0.contains("what the engine can do") }
        }
        let line = try #require(found.first?.first)
        #expect(found == Array(repeating: [line], count: 4))
        let all = "copy=yes delete=yes if_none_match=honoured verifies=x-amz-c"
        #expect(line.contains(all), "SeaweedFS compares x-amz-checksum-sha256, Ceph x-amz-content-sha256: \(line)")
        #expect(try stack.listing().isEmpty, "a probe's object is no payload")
    }

    @Test func `A worker finds its endpoint where the AWS tools do`() throws {
        try write(
            """
            [default]
            services = local
            [services local]
            s3 =
              endpoint_url = \(engine.endpoint)
            """.utf8,
            to: folder.file("config")
        )
        let mistake = Mistake(
            testDescription: "",
            status: 0,
            names: [],
            store: "s3://payloads",
            environment: ["AWS_CONFIG_FILE": folder.file("config")]
        )
        let checked = try start(mistake, ["--check"])
        #expect(checked.status == 0, "\(checked.output)")
    }

    @Test func `A worker finds its credentials in a shared file's profile`() throws {
        try write(
            """
            [default]
            aws_access_key_id = nobody
            aws_secret_access_key = nothing
            [payloads]
            aws_access_key_id = \(engine.accessKey)
            aws_secret_access_key = \(engine.secretKey)
            """.utf8,
            to: folder.file("credentials")
        )
        let environment = [
            "env", "-u", "AWS_ACCESS_KEY_ID", "-u", "AWS_SECRET_ACCESS_KEY",
            "AWS_SHARED_CREDENTIALS_FILE=\(folder.file("credentials"))", "AWS_PROFILE=payloads",
        ]
        let stack = try Stack(launcher: environment, engine: engine)
        let payload = randomPayload(1_000)
        #expect(try stack.get(stack.store(payload), length: 1_000).body == payload)
        let checked = try run(
            environment[0],
            environment.dropFirst() + [Project.binary("lps-worker"), "--check"] + stack.storeOptions,
            environment: engine.environment
        )
        #expect(checked.status == 0 && checked.output.hasSuffix("the configuration is good\n"), "\(checked.output)")
    }

    @Test func `A worker finds its credentials in its configuration file`() throws {
        try write(
            """
            AWS_ACCESS_KEY_ID=\(engine.accessKey)
            AWS_SECRET_ACCESS_KEY='\(engine.secretKey)'
            """.utf8,
            to: folder.file("lps.conf")
        )
        let stack = try Stack(
            options: ["--config", folder.file("lps.conf")],
            launcher: ["env", "-u", "AWS_ACCESS_KEY_ID", "-u", "AWS_SECRET_ACCESS_KEY"],
            engine: engine
        )
        let payload = randomPayload(1_000)
        #expect(try stack.get(stack.store(payload), length: 1_000).body == payload)
    }
}
