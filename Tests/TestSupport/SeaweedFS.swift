import Foundation

/// SeaweedFS, a real S3 engine on this machine, with its data in a temporary folder. `LPS_WEED` names its binary.
package final class SeaweedFS: S3Engine {
    package enum Shape: Sendable {
        /// One process for master, volume server, filer and S3 gateway.
        case single
        /// A master, three volume servers, two of which hold each object, and a filer with the S3 gateway.
        case replicated
    }

    package let user = S3User(accessKey: "lps-test-access-key", secretKey: "lps-test-secret-key")
    package let host: String
    package let dropsLeadingSlash = true
    private let folder: TemporaryFolder
    private let shape: Shape
    private let ports: [UInt16]
    package let processes = EngineProcesses()
    package let outageProcesses: [String]? = nil

    /// Whether the engine is installed; `make test` installs it.
    package static var isInstalled: Bool { binary != nil }
    private static let binary = ProcessInfo.processInfo.environment["LPS_WEED"]

    /// Starts the engine. When this returns, it accepts objects.
    package init(_ shape: Shape = .single, buckets: [String] = ["payloads"]) throws {
        self.shape = shape
        folder = try TemporaryFolder()
        ports = try freePorts(shape == .single ? 4 : 6)
        host = "127.0.0.1:\(ports[0])"
        let identity: [String: Any] = [
            "name": "lps", "credentials": [["accessKey": user.accessKey, "secretKey": user.secretKey]],
            "actions": ["Admin", "Read", "List", "Tagging", "Write"],
        ]
        try write(JSONSerialization.data(withJSONObject: ["identities": [identity]]), to: folder.file("s3.json"))
        try start()
        for bucket in buckets { try createBucket(bucket) }
    }

    deinit {
        end()
    }

    package func start() throws {
        for (name, arguments) in commands { try start(name, arguments) }
        try eventually("SeaweedFS accepts objects: \(log)") {
            if let ended = processes.ended { throw NeverHappened(what: "SeaweedFS: \(ended.log)") }
            return try self.isReady()
        }
    }

    /// Ends one of the three volume servers with SIGKILL; `start` restarts it.
    package func killVolumeServer(_ index: Int) { processes.kill(["volume\(index)"]) }

    private func start(_ name: String, _ arguments: [String]) throws {
        if processes.isRunning(name) { return }
        guard let binary = Self.binary else { throw NeverHappened(what: "LPS_WEED names SeaweedFS's binary weed") }
        let data = folder.file(name)
        try FileManager.default.createDirectory(atPath: "\(data)/logs", withIntermediateDirectories: true)
        // A killed engine leaves its sockets.
        for socket in ["filer.sock", "s3.sock"] { unlink("\(data)/\(socket)") }
        try processes.start(name) {
            try ChildProcess(
                binary,
                ["-logdir=\(data)/logs", "-alsologtostderr=false"] + arguments
                    + ["-ip=127.0.0.1", "-ip.bind=127.0.0.1"],
                log: "\(data)/log"
            )
        }
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
                // Otherwise a restarted master waits 10 s for others.
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
        // The master knows the volume servers and has room for an object.
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
}
