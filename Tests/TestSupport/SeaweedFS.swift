import Foundation

/// A real S3 engine on this machine, with its data in a temporary folder: SeaweedFS, whose binary `LPS_WEED` names.
package final class SeaweedFS: @unchecked Sendable {
    package enum Shape: Sendable {
        /// One process that is all: master, volume server, filer and S3 gateway.
        case single
        /// A master, three volume servers of which two hold each object, and a filer with the S3 gateway.
        case replicated
    }

    package let accessKey = "lps-test-access-key"
    package let secretKey = "lps-test-secret-key"
    package let region = "us-east-1"
    package let folder: TemporaryFolder
    /// Host and port as in the Host header.
    package let host: String
    private let shape: Shape
    private let ports: [UInt16]
    // Guarded by the lock.
    private var processes: [String: ChildProcess] = [:]
    private let lock = NSLock()

    /// Whether this machine has the engine: `make test` installs it.
    package static var isInstalled: Bool { binary != nil }
    private static let binary = ProcessInfo.processInfo.environment["LPS_WEED"]

    /// An engine for all tests that neither stop it nor fill it; ends with the process of the tests.
    package static var shared: SeaweedFS {
        get throws { try sharedEngine.get() }
    }

    private static let sharedEngine = Result {
        let engine = try SeaweedFS()
        atexit { try? SeaweedFS.shared.kill() }
        return engine
    }

    /// Starts the engine; it takes objects when this returns.
    package init(_ shape: Shape = .single, buckets: [String] = ["payloads"]) throws {
        self.shape = shape
        folder = try TemporaryFolder()
        ports = try freePorts(shape == .single ? 4 : 6)
        host = "127.0.0.1:\(ports[0])"
        let identity: [String: Any] = [
            "name": "lps", "credentials": [["accessKey": accessKey, "secretKey": secretKey]],
            "actions": ["Admin", "Read", "List", "Tagging", "Write"],
        ]
        try write(JSONSerialization.data(withJSONObject: ["identities": [identity]]), to: folder.file("s3.json"))
        try start()
        for bucket in buckets { try createBucket(bucket) }
    }

    deinit {
        kill()
    }

    package var endpoint: String { "http://\(host)" }

    /// What the worker's and the tool's `--store` takes.
    package func storeURL(bucket: String = "payloads", prefix: String = "") -> String {
        let path = prefix.isEmpty ? bucket : "\(bucket)/\(prefix)"
        return "s3://\(path)?endpoint=\(endpoint)&region=\(region)&path-style=true"
    }

    /// The credentials, as the AWS tools look for them.
    package var environment: [String: String] {
        ["AWS_ACCESS_KEY_ID": accessKey, "AWS_SECRET_ACCESS_KEY": secretKey]
    }

    // MARK: The processes

    /// Starts what does not run, on the ports and the data of before.
    package func start() throws {
        for (name, arguments) in commands { try start(name, arguments) }
        try eventually("SeaweedFS takes objects: \(log)") {
            if let ended = (lock.withLock { processes.values.first { !$0.isRunning } }) {
                throw NeverHappened(what: "SeaweedFS: \(ended.log)")
            }
            return try self.isReady()
        }
    }

    /// Ends all as an operator would, with SIGTERM; what has not ended after three seconds, with SIGKILL.
    package func stop() {
        let running = lock.withLock { Array(processes.values) }
        for process in running { process.signal(SIGTERM) }
        try? eventually("SeaweedFS ends", within: 3) { !running.contains { $0.isRunning } }
        kill()
    }

    /// Ends all with SIGKILL.
    package func kill() {
        for name in lock.withLock({ Array(processes.keys) }) { kill(name) }
    }

    /// Ends one of the three volume servers with SIGKILL; `start` brings it back.
    package func killVolumeServer(_ index: Int) {
        kill("volume\(index)")
    }

    /// Stops all processes where they stand (SIGSTOP): connections are taken by the kernel, and nothing answers.
    package func freeze() throws {
        for process in lock.withLock({ Array(processes.values) }) { try process.freeze() }
    }

    /// Lets frozen processes go on.
    package func thaw() {
        for process in lock.withLock({ Array(processes.values) }) { process.signal(SIGCONT) }
    }

    /// What the processes wrote.
    package var log: String { lock.withLock { processes.values.map(\.log).joined() } }

    private func start(_ name: String, _ arguments: [String]) throws {
        if let known = (lock.withLock { processes[name] }), known.isRunning { return }
        guard let binary = Self.binary else { throw NeverHappened(what: "LPS_WEED names SeaweedFS's binary weed") }
        let data = folder.file(name)
        try FileManager.default.createDirectory(atPath: "\(data)/logs", withIntermediateDirectories: true)
        // The processes of a killed engine leave their sockets.
        for socket in ["filer.sock", "s3.sock"] { unlink("\(data)/\(socket)") }
        let process = try ChildProcess(
            binary,
            ["-logdir=\(data)/logs", "-alsologtostderr=false"] + arguments + ["-ip=127.0.0.1", "-ip.bind=127.0.0.1"],
            log: "\(data)/log"
        )
        lock.withLock { processes[name] = process }
    }

    private func kill(_ name: String) {
        guard let process = (lock.withLock { processes.removeValue(forKey: name) }) else { return }
        process.signal(SIGKILL)
        process.wait()
    }

    // Each process also serves gRPC, on the port plus 10000. The S3 gateway's comes first in `ports`, then the filer's,
    // the master's, and those of the volume servers.
    private var commands: [(name: String, arguments: [String])] {
        let (s3, filer, master) = (ports[0], ports[1], ports[2])
        func gateway(_ data: String) -> [String] {
            [
                "-s3", "-s3.port=\(s3)", "-s3.config=\(folder.file("s3.json"))", "-s3.port.iceberg=0",
                "-s3.port.lance=0", "-s3.localSocket=\(data)/s3.sock",
            ]
        }
        switch shape {
        case .single:
            let data = folder.file("server")
            let server = [
                "server", "-dir=\(data)", "-master.port=\(master)", "-master.telemetry=false",
                // Else a master that has been one before waits 10 s for others.
                "-master.electionTimeout=1s", "-master.volumeSizeLimitMB=1024", "-volume.port=\(ports[3])",
                "-volume.max=40",
                "-volume.preStopSeconds=1", "-filer", "-filer.port=\(filer)", "-filer.localSocket=\(data)/filer.sock",
            ]
            return [("server", server + gateway(data))]
        case .replicated:
            let data = folder.file("filer")
            let volumes = ports[3...].enumerated().map { index, port in
                let arguments = [
                    "volume", "-master=127.0.0.1:\(master)", "-dir=\(folder.file("volume\(index)"))", "-port=\(port)",
                    "-max=40", "-preStopSeconds=1",
                ]
                return (name: "volume\(index)", arguments: arguments)
            }
            let leader = [
                "master", "-mdir=\(folder.file("master"))", "-port=\(master)", "-telemetry=false",
                "-electionTimeout=1s", "-defaultReplication=001", "-volumeSizeLimitMB=1024",
            ]
            let front = [
                "filer", "-master=127.0.0.1:\(master)", "-defaultStoreDir=\(data)", "-port=\(filer)",
                "-localSocket=\(data)/filer.sock", "-defaultReplicaPlacement=001",
            ]
            return [("master", leader)] + volumes + [("filer", front + gateway(data))]
        }
    }

    private func isReady() throws -> Bool {
        guard try fetch("\(endpoint)/healthz").status == 200 else { return false }
        for volume in ports[3...] {
            guard try fetch("http://127.0.0.1:\(volume)/status").status == 200 else { return false }
        }
        // The master knows the volume servers, and has room for an object.
        let master = "http://127.0.0.1:\(ports[2])"
        let servers = try fetch("\(master)/dir/status").text.components(separatedBy: "\"PublicUrl\"").count - 1
        guard servers == ports.count - 3 else { return false }
        return try fetch("\(master)/dir/assign").text.contains("\"fid\"")
    }

    private func fetch(_ url: String) throws -> (status: Int, text: String) {
        let output = try run("curl", ["-s", "--max-time", "5", "-w", "\n%{http_code}", url]).output
        let lines = output.split(separator: "\n", omittingEmptySubsequences: false)
        return (lines.last.flatMap { Int($0) } ?? 0, lines.dropLast().joined(separator: "\n"))
    }

    // MARK: Buckets and objects, past the service

    package func createBucket(_ name: String) throws {
        var made: (status: Int, body: [UInt8]) = (0, [])
        // An engine that has just started may fail; 409: a try that failed has made it.
        try eventually("bucket \(name) is made: \(made)") {
            made = try curl("PUT", "/\(name)")
            return made.status == 200 || made.status == 409
        }
    }

    /// A signed request of curl's own, whose path is on the wire as given.
    @discardableResult
    package func curl(_ method: String, _ path: String, bodyFile: String? = nil) throws -> (status: Int, body: [UInt8])
    {
        let answers = try TemporaryFolder()
        defer { withExtendedLifetime(answers) {} }
        let body = answers.file("body")
        let send = bodyFile.map { ["-T", $0] } ?? []
        let request = method == "HEAD" ? ["-I"] : ["-X", method]
        let output = try run(
            "curl",
            ["-sS", "--max-time", "60", "--path-as-is", "--aws-sigv4", "aws:amz:\(region):s3"]
                + ["--user", "\(accessKey):\(secretKey)", "-o", body, "-w", "%{http_code}"] + send + request
                + ["\(endpoint)\(path)"]
        ).output
        guard let status = Int(output) else { throw NeverHappened(what: "\(method) \(path): \(output)") }
        return (status, (try? contents(of: body)) ?? [])
    }
}
