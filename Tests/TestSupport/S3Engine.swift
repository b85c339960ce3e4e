import Crypto
import Foundation

/// A real S3 engine that a test has started on this machine, with its data in a temporary folder; it ends with its last
/// reference.
package protocol S3Engine: AnyObject, Sendable {
    /// Host and port as in the Host header.
    var host: String { get }
    /// Who owns the buckets.
    var user: S3User { get }
    /// Whether a listing leaves out the slash that a key begins with.
    var dropsLeadingSlash: Bool { get }
    var processes: EngineProcesses { get }
    /// Those of the processes that an outage is one of; `nil`: all.
    var outageProcesses: [String]? { get }

    /// Starts what does not run, on the ports and the data of before; the engine takes objects when this returns.
    func start() throws
}

extension S3Engine {
    /// What the processes wrote.
    package var log: String { processes.log }

    /// Makes the engine go away as an operator would, with SIGTERM; its data stays.
    package func stop() { processes.stop(outageProcesses) }
    /// Makes the engine go away with SIGKILL; its data stays.
    package func kill() { processes.kill(outageProcesses) }
    /// Stops the engine where it stands (SIGSTOP): connections are taken by the kernel, and nothing answers.
    package func freeze() throws { try processes.freeze(outageProcesses) }
    /// Lets a frozen engine go on.
    package func thaw() { processes.thaw(outageProcesses) }
    /// Ends all processes, with SIGKILL; the engine can't be started again.
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

    /// The credentials, as the AWS tools look for them.
    package var environment: [String: String] {
        ["AWS_ACCESS_KEY_ID": accessKey, "AWS_SECRET_ACCESS_KEY": secretKey]
    }
}

/// The engine that the suites about a bucket run on: `LPS_ENGINE`, which is `seaweedfs`, the default, or `ceph`.
package enum TestEngine {
    /// Whether `LPS_ENGINE` names an engine: the run is about this engine, and stores on disk are tested elsewhere.
    package static var isNamed: Bool { name != nil }
    private static let name = ProcessInfo.processInfo.environment["LPS_ENGINE"]

    /// An engine for all tests that neither stop it nor fill it; ends with the process of the tests.
    package static var shared: any S3Engine {
        get throws { try sharedEngine.get() }
    }

    private static let sharedEngine = Result {
        let engine = try start()
        atexit { try? TestEngine.shared.end() }
        return engine
    }

    /// Starts an engine of its own for a test, with the bucket `payloads`.
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

    /// What the worker's and the tool's `--store` takes.
    package func storeURL(bucket: String = "payloads", prefix: String = "") -> String {
        let path = prefix.isEmpty ? bucket : "\(bucket)/\(prefix)"
        return "s3://\(path)?endpoint=\(endpoint)&region=\(region)&path-style=true"
    }

    /// A key as the engine's listings have it.
    package func listed(_ key: String) -> String {
        dropsLeadingSlash && key.hasPrefix("/") ? String(key.dropFirst()) : key
    }

    package func createBucket(_ name: String) throws {
        var made: (status: Int, body: [UInt8]) = (0, [])
        // An engine that has just started may fail; 409: a try that failed has made it.
        try eventually("bucket \(name) is made: \(made)") {
            made = try curl("PUT", "/\(name)")
            return made.status == 200 || made.status == 409
        }
    }

    /// Makes a bucket that keeps the versions of its objects.
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

    /// A signed request of curl's own, past the service, whose path is on the wire as given; by the buckets' owner, unless
    /// another user is given.
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
        // curl signs with it, but does not send it by itself, and Ceph wants it.
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
