import Foundation

/// Ceph on this machine: a monitor, an object server with its data in memory, and the S3 gateway (RGW), from Debian's
/// packages ceph-mon, ceph-osd and radosgw.
///
/// An outage stops only the gateway, which is all that S3 clients see: the data would not survive the object server.
package final class Ceph: S3Engine {
    package let user = S3User(accessKey: "lps-test-access-key", secretKey: "lps-test-secret-key")
    package let host: String
    package let dropsLeadingSlash = false
    private let folder: TemporaryFolder
    package let processes = EngineProcesses()
    package let outageProcesses: [String]? = [gateway]
    private static let gateway = "radosgw"
    private static let owner = "lps"
    // A process that reads the monitor's configuration takes the monitor's addresses only from the map, and may send a
    // command before it knows the fsid, which the monitor refuses.
    private static let withoutBootstrap = ["--no-mon-config"]

    package init(buckets: [String] = ["payloads"]) throws {
        folder = try TemporaryFolder()
        let ports = try freePorts(2)
        host = "127.0.0.1:\(ports[1])"
        try configure(monitor: ports[0])
        try startCluster()
        try addUser(Self.owner, user)
        // The only storage class besides STANDARD that suites use.
        let place = ["placement", "add", "--placement-id=default-placement", "--storage-class=STANDARD_IA"]
        try administer(["zonegroup"] + place + ["--rgw-zonegroup=default"])
        try administer(["zone"] + place + ["--rgw-zone=default", "--data-pool=default.rgw.infrequent.data"])
        try start()
        for bucket in buckets { try createBucket(bucket) }
    }

    deinit {
        end()
    }

    package func start() throws {
        if !processes.isRunning(Self.gateway) {
            try startProcess(Self.gateway, ["-f", "-n", "client.rgw.a"] + Self.withoutBootstrap)
        }
        try eventually("Ceph's gateway answers: \(log)") {
            if let ended = processes.ended { throw NeverHappened(what: "Ceph: \(ended.log)") }
            return try TestSupport.run("curl", ["-s", "--max-time", "5", "-o", "/dev/null", endpoint]).status == 0
        }
    }

    // MARK: Users and quotas

    /// Creates a user who owns nothing.
    package func createUser(_ name: String) throws -> S3User {
        let user = S3User(accessKey: "lps-test-key-of-\(name)", secretKey: "lps-test-secret-of-\(name)")
        try addUser(name, user)
        return user
    }

    private func addUser(_ name: String, _ user: S3User) throws {
        let keys = ["--access-key=\(user.accessKey)", "--secret=\(user.secretKey)"]
        try administer(["user", "create", "--uid=\(name)", "--display-name=\(name)"] + keys)
    }

    /// Limits a bucket to this many objects; `nil` removes the limit.
    package func setQuota(objects: Int?, bucket: String) throws {
        try setQuota(objects, ["--quota-scope=bucket", "--bucket=\(bucket)"])
    }

    /// Limits the buckets' owner to this many objects; `nil` removes the limit. Objects count minutes after they are
    /// stored: only 0 takes effect immediately.
    package func setQuota(objects: Int?) throws {
        try setQuota(objects, ["--quota-scope=user", "--uid=\(Self.owner)"])
    }

    private func setQuota(_ objects: Int?, _ scope: [String]) throws {
        if let objects { try administer(["quota", "set", "--max-objects=\(objects)"] + scope) }
        try administer(["quota", objects == nil ? "disable" : "enable"] + scope)
    }

    /// Runs `radosgw-admin`. A running gateway sees its changes immediately.
    private func administer(_ arguments: [String]) throws {
        try run("radosgw-admin", arguments + Self.withoutBootstrap)
    }

    // MARK: The cluster

    private func configure(monitor port: UInt16) throws {
        let fsid = UUID().uuidString.lowercased()
        let conf = """
            [global]
            fsid = \(fsid)
            monmap = \(folder.file("monmap"))
            ms_bind_msgr2 = false
            ms_bind_ipv6 = false
            public_addr = 127.0.0.1
            auth_cluster_required = none
            auth_service_required = none
            auth_client_required = none
            log_to_file = false
            log_to_stderr = true
            debug_mon = 0
            debug_paxos = 0
            admin_socket =
            run_dir = \(folder.path)
            paxos_propose_interval = 0.05
            paxos_min_wait = 0.01
            mon_data = \(folder.file("mon"))
            mon_allow_pool_size_one = true
            osd_data = \(folder.file("osd"))
            osd_objectstore = memstore
            # Taken as it is needed.
            memstore_device_bytes = 17179869184
            osd_crush_chooseleaf_type = 0
            osd_pool_default_size = 1
            osd_pool_default_min_size = 1
            osd_pool_default_pg_num = 1
            osd_pool_default_pgp_num = 1
            osd_pool_default_pg_autoscale_mode = off
            rgw_data = \(folder.file("rgw"))
            rgw_run_sync_thread = false
            rgw_frontends = beast endpoint=\(host) tcp_nodelay=1

            """
        try write(conf.utf8, to: folder.file("ceph.conf"))
        for name in ["mon", "osd", "rgw"] {
            try FileManager.default.createDirectory(atPath: folder.file(name), withIntermediateDirectories: true)
        }
        try run(
            "monmaptool",
            ["--create", "--fsid", fsid, "--addv", "a", "[v1:127.0.0.1:\(port)]", folder.file("monmap")]
        )
    }

    private func startCluster() throws {
        try run("ceph-mon", ["--mkfs", "-i", "a", "--monmap", folder.file("monmap")])
        try startProcess("ceph-mon", ["-f", "-i", "a"])
        let osd = UUID().uuidString.lowercased()
        try eventually("the monitor takes commands: \(log)") {
            let made = ["--connect-timeout", "60", "osd", "new", osd]
            return try TestSupport.run("ceph", made, environment: configuration).status == 0
        }
        try run("ceph-osd", ["-i", "0", "--mkfs", "--osd-uuid", osd])
        try startProcess("ceph-osd", ["-f", "-i", "0"] + Self.withoutBootstrap)
    }

    private var configuration: [String: String] { ["CEPH_CONF": folder.file("ceph.conf")] }

    private func startProcess(_ name: String, _ arguments: [String]) throws {
        try processes.start(name) {
            try ChildProcess(name, arguments, environment: configuration, log: folder.file("\(name).log"))
        }
    }

    private func run(_ program: String, _ arguments: [String]) throws {
        let ran = try TestSupport.run(program, arguments, environment: configuration)
        guard ran.status == 0 else { throw NeverHappened(what: "\(program): \(ran.output)") }
    }
}
