import Foundation
import TestSupport
import Testing

/// How a worker starts on a bucket, and how it ends when it can't.
@Suite(.serialized, .runLimit) struct BucketStartTests {
    /// What keeps a worker from starting.
    struct Mistake: CustomTestStringConvertible {
        let testDescription: String
        /// What the line names.
        let names: [String]
        let store: String
        let options: [String]
        let environment: [String: String]

        init(
            _ description: String,
            names: [String],
            store: String = "payloads?endpoint=ENDPOINT",
            options: [String] = ["--incoming", "FOLDER"],
            environment: [String: String] = [:]
        ) {
            testDescription = description
            self.names = names
            self.store = "s3://\(store)&path-style=true"
            self.options = options
            self.environment = environment
        }
    }

    private static let secret = "not-the-secret-of-this-key"
    private static let noKeys = ["AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""]
    /// What someone must change.
    private static let lasting = [
        Mistake(
            "a wrong secret",
            names: ["bucket payloads at 127.0.0.1:", "SignatureDoesNotMatch"],
            environment: ["AWS_SECRET_ACCESS_KEY": secret]
        ),
        Mistake(
            "an unknown access key",
            names: ["bucket payloads at 127.0.0.1:", "InvalidAccessKeyId"],
            environment: ["AWS_ACCESS_KEY_ID": "nobody"]
        ),
        Mistake("no credentials", names: ["no credentials", "AWS_ACCESS_KEY_ID"], environment: noKeys),
        Mistake(
            "half of the credentials",
            names: ["AWS_SECRET_ACCESS_KEY"],
            environment: ["AWS_SECRET_ACCESS_KEY": ""]
        ),
        Mistake(
            "an unknown profile",
            names: ["nobody"],
            environment: noKeys.merging(["AWS_PROFILE": "nobody"]) { $1 }
        ),
        Mistake(
            "no such bucket",
            names: ["bucket nowhere at 127.0.0.1:", "NoSuchBucket"],
            store: "nowhere?endpoint=ENDPOINT"
        ),
        Mistake(
            "no S3 engine",
            names: ["bucket payloads at 127.0.0.1:", "listing"],
            store: "payloads?endpoint=FRONT"
        ),
        Mistake("a region that is none", names: ["us east"], store: "payloads?endpoint=ENDPOINT&region=us%20east"),
        Mistake(
            "a parameter that there is not",
            names: ["pathstyle"],
            store: "payloads?endpoint=ENDPOINT&pathstyle=true"
        ),
        Mistake("no bucket", names: ["bucket's name is ''"], store: "?endpoint=ENDPOINT"),
        Mistake("no folder of uploads", names: ["--incoming"], options: []),
        Mistake(
            "a folder of uploads that is not there",
            names: ["FOLDER/none"],
            options: ["--incoming", "FOLDER/none"]
        ),
        Mistake(
            "quotas",
            names: ["quotas", "LPS_POLICY"],
            options: ["--incoming", "FOLDER", "--policy", "FOLDER/quotas"]
        ),
        Mistake(
            "payloads over 5 GiB",
            names: ["--max-payload", "5368709121", "5368709120"],
            options: ["--incoming", "FOLDER", "--max-payload", "5368709121"]
        ),
    ]
    /// What may pass.
    private static let passing = [
        Mistake(
            "nothing listens",
            names: ["bucket payloads at 127.0.0.1:1:"],
            store: "payloads?endpoint=http://127.0.0.1:1"
        ),
        Mistake("an unknown host", names: ["nowhere.invalid"], store: "payloads?endpoint=http://nowhere.invalid"),
    ]

    private let engine: any S3Engine
    private let folder: TemporaryFolder

    init() throws {
        engine = try TestEngine.shared
        folder = try TemporaryFolder()
        try write("[*]\nquota = 1g\n".utf8, to: folder.file("quotas"))
    }

    private func start(_ mistake: Mistake, _ more: [String]) throws -> (status: Int32, output: String) {
        let front = try mistake.store.contains("FRONT") ? BucketFront(engine, "return 200 'It works';") : nil
        func filledIn(_ text: String) -> String {
            text.replacingOccurrences(of: "ENDPOINT", with: engine.endpoint)
                .replacingOccurrences(of: "FRONT", with: "http://\(front?.host ?? "")")
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

    /// - Parameter status: 78 for what someone must change, 1 for what may pass.
    private func expectRefused(_ mistake: Mistake, _ more: [String], status: Int32) throws {
        let ended = try start(mistake, more)
        #expect(ended.status == status, "\(ended.output)")
        #expect(ended.output.split(separator: "\n").count == 1, "\(ended.output)")
        for name in mistake.names {
            let name = name.replacingOccurrences(of: "FOLDER", with: folder.path)
            #expect(ended.output.contains(name), "\(ended.output)")
        }
        for secret in [engine.secretKey, Self.secret, "Signature="] {
            #expect(!ended.output.contains(secret), "\(ended.output)")
        }
    }

    @Test(arguments: lasting)
    func `A start that can't be ends with one line that names what is wrong, and no secret`(mistake: Mistake) throws {
        for more in [[], ["--check"]] { try expectRefused(mistake, more, status: 78) }
    }

    @Test(arguments: passing)
    func `A check without an engine ends with one line that names it`(mistake: Mistake) throws {
        try expectRefused(mistake, ["--check"], status: 1)
    }

    @Test func `A start waits for an engine that comes a moment later`() throws {
        let front = try BucketFront(engine)
        front.kill()
        let worker = try ChildProcess(
            Project.binary("lps-worker"),
            ["--listen", folder.file("sock"), "--store", front.storeURL("payloads"), "--incoming", folder.path],
            environment: engine.environment,
            log: folder.file("log")
        )
        // Longer than a worker takes to start.
        usleep(500_000)
        #expect(worker.isRunning, "\(worker.log)")
        try front.restart()
        try eventually("it serves: \(worker.log)") { worker.log.contains("msg=serving") }
    }

    // The engine asks to wait longer than a start does.
    @Test(arguments: [(403, "AccessDenied", 78), (400, "InvalidStorageClass", 78), (503, "SlowDown", 1)])
    func `A bucket that can be listed and not written ends a start with one line`(
        status: Int,
        code: String,
        expected: Int32
    ) throws {
        let answer = "add_header Retry-After 3600 always; return \(status) '<Error><Code>\(code)</Code></Error>';"
        let front = try BucketFront(engine, "if ($request_method = PUT) { \(answer) }")
        let mistake = Mistake(
            "",
            names: ["bucket payloads at \(front.host): PUT of an object: \(status) \(code)"],
            store: "payloads?endpoint=http://\(front.host)"
        )
        for more in [[], ["--check"]] { try expectRefused(mistake, more, status: expected) }
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
            "",
            names: [],
            store: "payloads?",
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
