import DiskStore
import Foundation
import Storage
import TestStores
import TestSupport
import Testing

/// File systems that can lose payloads, simulated with strace(1).
@Suite(.serialized, .runLimit) struct FileSystemTests {
    private let local: TestStore
    private let socket: String

    init() throws {
        local = try TestStore(isInMemory: true)
        socket = local.folder.file("x.sock")
    }

    /// Starts a worker, with an injection of strace(1) if there is one.
    private func worker(_ injection: String? = nil) throws -> ChildProcess {
        var command = [Project.binary("lps-worker"), "--store", local.path, "--listen", socket, "--threads", "1"]
        if let injection { command = strace(injection) + command }
        let log = local.folder.file("log-\(UUID().uuidString)")
        let worker = try ChildProcess(command[0], Array(command.dropFirst()), log: log)
        try eventually("the worker serves or ends: \(worker.log)") {
            worker.log.contains("msg=serving") || !worker.isRunning
        }
        return worker
    }

    private func strace(_ injection: String) -> [String] {
        let call = injection.prefix { $0 != ":" }
        return ["strace", "-f", "-o", "/dev/null", "-e", "trace=\(call)", "-e", "inject=\(injection)"]
    }

    /// Makes fstatfs(2) report another kind of file system (linux/magic.h), by replacing the first bytes of its result.
    private func pretends(_ magic: UInt64) -> String {
        let bytes = withUnsafeBytes(of: magic.littleEndian) { $0.map { String(format: "%02x", $0) }.joined() }
        return "fstatfs:poke_exit=@arg2=\(bytes)"
    }

    @Test(
        arguments: [(0x6969, "nfs"), (0xFF53_4D42, "cifs"), (0x6573_5546, "fuse"), (0xEF53, nil)] as [(UInt64, String?)]
    )
    func `A worker warns about a network or FUSE file system, not about a local one`(
        magic: UInt64,
        name: String?
    ) throws {
        let worker = try worker(pretends(magic))
        #expect(worker.log.contains("msg=serving"))
        let warning = "level=warning msg=\"store is on a network or FUSE file system"
        #expect(worker.log.contains(warning) == (name != nil), "\(worker.log)")
        if let name { #expect(worker.log.contains("file_system=\(name) ")) }
    }

    @Test(arguments: [(0x6969, true), (0xEF53, false)] as [(UInt64, Bool)])
    func `lps init warns about a network file system, not about a local one`(magic: UInt64, isTold: Bool) throws {
        let command = strace(pretends(magic)) + [Project.binary("lps"), "init", "--store", local.folder.file("new")]
        let made = try run(command[0], Array(command.dropFirst()))
        #expect(made.status == 0)
        #expect(made.output.contains("new is on a network or FUSE file system (nfs)") == isTold)
    }

    @Test func `A worker does not start without syncs, locks or hard links`() throws {
        for (injection, message) in [
            ("fsync:error=EINVAL:when=1", "fsync incoming: Invalid argument"),
            ("fsync:error=EOPNOTSUPP:when=1", "fsync incoming: "),
            ("fdatasync:error=ENOSYS:when=1", "fdatasync locks/00: Function not implemented"),
            ("flock:error=EOPNOTSUPP:when=1", "lock locks/00: "),
            ("linkat:error=EPERM:when=1", "has no hard links: Operation not permitted"),
        ] {
            let worker = try worker(injection)
            #expect(worker.wait() == 78, "\(worker.log)")
            #expect(worker.log.contains("lps-worker: the file system of store \(local.path) "), "\(worker.log)")
            #expect(worker.log.contains(message), "\(worker.log)")
            #expect(!files(below: local.path).contains { $0.contains("probe") || $0.hasPrefix("incoming/") })
        }
    }

    @Test(.enabled(if: getuid() == 0, "only root may mount"), arguments: SmallDisk.Folding.mountable)
    func `A case-insensitive file system is refused for new and existing stores`(kind: SmallDisk.Folding) throws {
        let (disk, folder) = try SmallDisk.folding(kind)
        defer { withExtendedLifetime(disk) {} }
        func refusal(of store: String) -> String {
            "the file system of store \(store) cannot be used: in keys/, two names that differ only in case "
                + "are the same file\n"
        }
        let new = "\(folder)/new"
        let made = try run(Project.binary("lps"), ["init", "--store", new])
        #expect(made.status == 78 && made.output == "lps: " + refusal(of: new), "\(made.output)")
        mkdir(new, 0o700)
        #expect(try run(Project.binary("lps"), ["init", "--store", new]).status == 78)
        #expect(files(below: folder).isEmpty)
        #expect(rmdir(new) == 0, "lps init left the folder in place, empty")
        // A store made by an earlier version, or copied there.
        let store = "\(folder)/store"
        #expect(try run("cp", ["-r", local.path, store]).status == 0)
        let before = files(below: store)
        for options in [["--check"], ["--listen", socket]] {
            let worker = try run(Project.binary("lps-worker"), options + ["--store", store])
            #expect(worker.status == 78 && worker.output.hasSuffix("lps-worker: " + refusal(of: store)), "\(worker)")
        }
        let put = try run(Project.binary("lps"), ["put", "--store", store, "--namespace", "Orders", "/etc/hostname"])
        #expect(put.status == 1 && put.output.contains("differ only in case"), "\(put.output)")
        #expect(files(below: store) == before)
    }

    @Test func `A worker starts while a garbage collection holds a lock`() throws {
        let lock = open(local.file("locks/00"), O_RDWR | O_CLOEXEC)
        #expect(flock(lock, LOCK_EX) == 0)
        defer { close(lock) }
        #expect(try worker().log.contains("msg=serving"))
    }
}
