import Crypto
import Foundation

/// A real S3 engine that a test started on this machine, with its data in a temporary folder. It ends with its last
/// reference.
package protocol S3Engine: AnyObject, Sendable {
    /// Host and port, as in the Host header.
    var host: String { get }
    var user: S3User { get }
    /// Whether listings omit a key's leading slash.
    var dropsLeadingSlash: Bool { get }
    var processes: EngineProcesses { get }
    /// The processes that an outage stops; `nil` for all.
    var outageProcesses: [String]? { get }

    /// Starts stopped processes with the same ports and data. When this returns, the engine accepts objects.
    func start() throws
}

extension S3Engine {
    /// The output of all processes.
    package var log: String { processes.log }

    /// Stops the engine with SIGTERM, as an operator would. Its data stays.
    package func stop() { processes.stop(outageProcesses) }
    /// Stops the engine with SIGKILL. Its data stays.
    package func kill() { processes.kill(outageProcesses) }
    /// Freezes the engine (SIGSTOP): the kernel accepts connections, and nothing answers.
    package func freeze() throws { try processes.freeze(outageProcesses) }
    /// Continues a frozen engine.
    package func thaw() { processes.thaw(outageProcesses) }
    /// Ends all processes with SIGKILL. The engine cannot be started again.
    package func end() { processes.kill() }
}

/// A user of an engine.
package struct S3User: Sendable {
    package let accessKey: String
    package let secretKey: String

    package init(accessKey: String, secretKey: String) {
        self.accessKey = accessKey
        self.secretKey = secretKey
    }

    /// The credentials, as variables that the AWS tools read.
    package var environment: [String: String] {
        ["AWS_ACCESS_KEY_ID": accessKey, "AWS_SECRET_ACCESS_KEY": secretKey]
    }
}

/// The engine that suites with a bucket run on: `LPS_ENGINE`, which is `seaweedfs` (the default) or `ceph`.
package enum TestEngine {
    /// Whether `LPS_ENGINE` names an engine. Such a run tests only that engine, without stores on disk.
    package static var isNamed: Bool { name != nil }
    private static let name = ProcessInfo.processInfo.environment["LPS_ENGINE"]

    /// An engine for all tests that neither stop nor fill it. It ends with the tests' process.
    package static var shared: any S3Engine {
        get throws { try sharedEngine.get() }
    }

    private static let sharedEngine = Result {
        let engine = try start()
        atexit { try? TestEngine.shared.end() }
        return engine
    }

    /// Starts a separate engine for a test, with the bucket `payloads`.
    package static func start() throws -> any S3Engine {
        switch name {
        case nil, "seaweedfs": try SeaweedFS()
        case "ceph": try Ceph()
        case let other?: throw NeverHappened(what: "LPS_ENGINE is seaweedfs or ceph; it is '\(other)'")
        }
    }
}

extension S3Engine {
    package var accessKey: String { user.accessKey }
    package var secretKey: String { user.secretKey }
    package var environment: [String: String] { user.environment }
    package var region: String { "us-east-1" }
    package var endpoint: String { "http://\(host)" }

    /// The value of `--store` for workers and `lps`.
    package func storeURL(bucket: String = "payloads", prefix: String = "") -> String {
        let path = prefix.isEmpty ? bucket : "\(bucket)/\(prefix)"
        return "s3://\(path)?endpoint=\(endpoint)&region=\(region)&path-style=true"
    }

    /// A key as the engine lists it.
    package func listed(_ key: String) -> String {
        dropsLeadingSlash && key.hasPrefix("/") ? String(key.dropFirst()) : key
    }

    package func createBucket(_ name: String) throws {
        var made: (status: Int, body: [UInt8]) = (0, [])
        // An engine that just started may fail. 409: an attempt that failed did create the bucket.
        try eventually("bucket \(name) is created: \(made)") {
            made = try curl("PUT", "/\(name)")
            return made.status == 200 || made.status == 409
        }
    }

    /// Creates a bucket that keeps the versions of its objects.
    package func createVersionedBucket(_ name: String) throws {
        try createBucket(name)
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let configuration = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
        try write(configuration.utf8, to: folder.file("versioning"))
        let answer = try curl("PUT", "/\(name)?versioning=", bodyFile: folder.file("versioning"))
        guard answer.status == 200 else {
            let body = String(decoding: answer.body, as: UTF8.self)
            throw NeverHappened(what: "bucket \(name) has versions: \(answer.status) \(body)")
        }
    }

    /// Sends a signed request to the engine with curl, with the path exactly as given; from the buckets' owner,
    /// unless another user is given.
    @discardableResult
    package func curl(_ method: String, _ path: String, bodyFile: String? = nil, as other: S3User? = nil) throws
        -> (status: Int, body: [UInt8])
    {
        let answers = try TemporaryFolder()
        defer { withExtendedLifetime(answers) {} }
        let body = answers.file("body")
        let send = bodyFile.map { ["-T", $0] } ?? []
        let request = method == "HEAD" ? ["-I"] : ["-X", method]
        let user = other ?? user
        // curl signs with this header but does not send it by itself, and Ceph requires it.
        let digest = Stack.digest(try bodyFile.map(contents) ?? []).dropFirst("sha256:".count)
        let output = try run(
            "curl",
            ["-sS", "--max-time", "60", "--path-as-is", "--aws-sigv4", "aws:amz:\(region):s3"]
                + ["-H", "x-amz-content-sha256: \(digest)", "--user", "\(user.accessKey):\(user.secretKey)"]
                + ["-o", body, "-w", "%{http_code}"] + send + request + ["\(endpoint)\(path)"]
        ).output
        guard let status = Int(output) else { throw NeverHappened(what: "\(method) \(path): \(output)") }
        return (status, (try? contents(of: body)) ?? [])
    }
}
