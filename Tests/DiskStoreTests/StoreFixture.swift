import Foundation
import PayloadKey
import Storage
import System
import TestSupport

@testable import DiskStore

/// Namespaces that begin or end with what is one `Character` with a slash beside it.
let namespacesThatMeltIntoSlashes = ["\u{301}x", "x\u{600}", "\u{200D}", "\u{600}\u{301}"]

/// A store in a temporary folder, with what it logged.
final class StoreFixture: Sendable {
    let folder: TemporaryFolder
    let path: String
    let store: DiskStore
    let log: RecordedLog

    /// - Parameter quota: the most bytes that a namespace may have.
    init(
        reserve: UInt64 = 0,
        quota: @escaping @Sendable (Namespace) -> UInt64? = { _ in nil },
        otherFiles: Int = 256,
        kernel: any Kernel = LinuxKernel.shared
    ) throws {
        folder = try TemporaryFolder()
        path = folder.file("store")
        log = RecordedLog()
        try DiskStore.create(at: path)
        store = try Self.open(path, log, reserve: reserve, quota: quota, otherFiles: otherFiles, kernel: kernel)
    }

    private static func open(
        _ path: String,
        _ log: RecordedLog,
        reserve: UInt64 = 0,
        quota: @escaping @Sendable (Namespace) -> UInt64?,
        otherFiles: Int = 256,
        patience: Duration = DiskStore.commandPatience,
        kernel: any Kernel
    ) throws -> DiskStore {
        try DiskStore(
            path: path,
            reserve: reserve,
            quota: quota,
            otherFiles: otherFiles,
            patience: patience,
            logger: log.logger,
            kernel: kernel
        )
    }

    /// The store as another process has it.
    func open(
        quota: @escaping @Sendable (Namespace) -> UInt64? = { _ in nil },
        patience: Duration = DiskStore.commandPatience,
        kernel: any Kernel = LinuxKernel.shared
    ) throws -> DiskStore {
        try Self.open(path, log, quota: quota, patience: patience, kernel: kernel)
    }

    // MARK: Payloads

    func key(_ content: [UInt8], namespace: String = "ns", prefix: String? = nil, metadata: String = "") throws
        -> PayloadKey
    {
        PayloadKey(
            namespace: try Namespace(validating: namespace.utf8),
            prefix: prefix.flatMap { KeyPrefix(validating: $0.utf8) },
            digest: Digest(of: content),
            metadataHash: Digest(of: metadata.utf8)
        )
    }

    /// Puts an upload into `incoming/`, as nginx does.
    func upload(_ content: [UInt8], name: String = UUID().uuidString) throws -> [UInt8] {
        let file = "\(path)/incoming/\(name)"
        try write(content, to: file)
        return Array(file.utf8)
    }

    func verified(_ content: [UInt8]) throws -> VerifiedUpload {
        try store.uploads.verify(uploadAt: upload(content), length: UInt64(content.count), digest: Digest(of: content))
    }

    /// Stores a payload through `incoming/`, whose file goes afterwards, as nginx has it.
    @discardableResult
    func put(_ content: [UInt8], namespace: String = "ns", prefix: String? = nil, metadata: String = "") throws
        -> CommitOutcome
    {
        let path = try upload(content)
        defer { unlink(String(decoding: path, as: UTF8.self)) }
        let upload = try store.uploads.verify(
            uploadAt: path,
            length: UInt64(content.count),
            digest: Digest(of: content)
        )
        return try store.commit(upload, as: key(content, namespace: namespace, prefix: prefix, metadata: metadata))
    }

    /// The content that a key reads, `nil` when it is not stored.
    func get(_ content: [UInt8], namespace: String = "ns", prefix: String? = nil, metadata: String = "") throws
        -> [UInt8]?
    {
        guard let payload = try store.open(key(content, namespace: namespace, prefix: prefix, metadata: metadata))
        else { return nil }
        var bytes: [UInt8] = []
        try payload.read(0..<payload.size) { bytes += Array($0) }
        return bytes
    }

    // MARK: Sweeping

    /// Begins to collect garbage. A collector's lock is held as long as a child that another test started meanwhile has
    /// not executed its program.
    func collector(of store: DiskStore? = nil) throws -> Collector {
        var collector: Collector?
        try eventually("nobody else collects") {
            do {
                collector = try (store ?? self.store).collector()
                return true
            } catch let error as StoreError where error.code == .busy {
                return false
            }
        }
        guard let collector else { throw NeverHappened(what: "a collector") }
        return collector
    }

    /// Deletes the content that no key names.
    @discardableResult
    func sweep(isDryRun: Bool = false) throws -> Swept { try collector().sweep(isDryRun: isDryRun) }

    // MARK: Files

    func file(_ relative: String) -> String { "\(path)/\(relative)" }

    func objectPath(_ content: [UInt8]) -> String { file(StoreLayout.object(Digest(of: content))) }

    func keyPath(_ content: [UInt8], namespace: String = "ns", prefix: String? = nil, metadata: String = "") throws
        -> String
    {
        try file(StoreLayout.key(key(content, namespace: namespace, prefix: prefix, metadata: metadata)))
    }

    /// The names in `quarantine/`.
    func quarantined() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: file("quarantine"))
    }

    /// What a file is; `nil` when there is none.
    func status(_ path: String) -> (inode: UInt64, links: UInt64, size: Int, mode: UInt32, modified: Int)? {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        return (
            UInt64(status.st_ino), UInt64(status.st_nlink), Int(status.st_size), status.st_mode & 0o7777,
            status.st_mtim.tv_sec
        )
    }

    /// Whether the content's object is there.
    func hasObject(_ content: [UInt8]) -> Bool { status(objectPath(content)) != nil }

    func setAge(_ path: String, seconds: Int) { setModified(path, to: time(nil) - seconds) }

    func setModified(_ path: String, to seconds: Int) {
        var times = [timespec(tv_sec: seconds, tv_nsec: 0), timespec(tv_sec: seconds, tv_nsec: 0)]
        utimensat(AT_FDCWD, path, &times, 0)
    }
}

extension DiskStore {
    /// What does not belong in the upper folders.
    func strayFiles() throws -> [String] {
        try StoreLayout.upperFolders.flatMap(strayFiles)
    }

    /// Stores a payload as a worker does that takes its body in itself.
    @discardableResult
    func put(_ content: [UInt8], _ key: PayloadKey) throws -> CommitOutcome {
        let upload = try uploads.receive(length: UInt64(content.count), digest: key.digest) { take in
            try content.withUnsafeBytes { try take($0) }
        }
        return try commit(upload, as: key)
    }

    /// The bytes of a namespace's keys, each looked at.
    func walkedUsage(of namespace: String) throws -> UInt64 {
        var sum: UInt64 = 0
        let selection = KeySelection(namespace: try Namespace(validating: namespace.utf8))
        try forEachKey(in: selection) { sum += $0.size ?? 0 }
        return sum
    }
}

extension Digest {
    /// The name of its shard.
    var shard: String { StoreLayout.shard(firstByte) }
}

/// A payload whose digest is in a shard.
func payload(inShard shard: UInt8, size: Int = 100) -> [UInt8] {
    while true {
        let content = randomPayload(size)
        if Digest(of: content).firstByte == shard { return content }
    }
}
