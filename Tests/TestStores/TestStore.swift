import DiskStore
import Foundation
import PayloadKey
import Storage
import System
import TestSupport

/// A disk store in a temporary folder, its log, and direct changes to its files.
package final class TestStore: Sendable {
    package let folder: TemporaryFolder
    package let path: String
    package let store: DiskStore
    package let log = RecordedLog()

    /// Creates an empty store.
    ///
    /// - Parameters:
    ///   - folder: the folder for the store; `nil` for a new one.
    ///   - isInMemory: whether to use a file system in memory, for tests with many small files.
    ///   - quota: the quota in bytes of a namespace.
    package init(
        in folder: TemporaryFolder? = nil,
        isInMemory: Bool = false,
        reserve: UInt64 = 0,
        quota: @escaping @Sendable (Namespace) -> UInt64? = { _ in nil },
        otherFiles: Int = 256,
        kernel: any Kernel = LinuxKernel.shared
    ) throws {
        self.folder = try folder ?? TemporaryFolder(isInMemory: isInMemory)
        path = self.folder.file("store")
        try DiskStore.create(at: path)
        store = try DiskStore(
            path: path,
            reserve: reserve,
            quota: quota,
            otherFiles: otherFiles,
            patience: DiskStore.commandPatience,
            logger: log.logger,
            kernel: kernel
        )
    }

    package init(at path: String) throws {
        folder = try TemporaryFolder()
        self.path = path
        store = try DiskStore(path: path, reserve: 0, logger: log.logger)
    }

    /// Opens the same store as another process does.
    package func open(
        reserve: UInt64 = 0,
        quota: @escaping @Sendable (Namespace) -> UInt64? = { _ in nil },
        patience: Duration = DiskStore.commandPatience,
        kernel: any Kernel = LinuxKernel.shared
    ) throws -> DiskStore {
        try DiskStore(
            path: path,
            reserve: reserve,
            quota: quota,
            patience: patience,
            logger: log.logger,
            kernel: kernel
        )
    }

    // MARK: Payloads

    /// Writes an upload to `incoming/`, as nginx does.
    package func upload(_ content: [UInt8], name: String = UUID().uuidString) throws -> [UInt8] {
        let file = file("incoming/\(name)")
        try write(content, to: file)
        return Array(file.utf8)
    }

    /// Stores a payload through a file in `incoming/` and then deletes the file, as nginx does.
    package func commit(_ content: [UInt8], as key: PayloadKey) throws -> CommitOutcome {
        let file = try upload(content)
        defer { unlink(String(decoding: file, as: UTF8.self)) }
        let upload = try store.uploads.verify(uploadAt: file, length: UInt64(content.count), digest: key.digest)
        return try store.commit(upload, as: key)
    }

    package func commit(_ content: [UInt8], _ namespace: String = "ns", prefix: String? = nil, metadata: String = "")
        throws -> CommitOutcome
    {
        try commit(content, as: payloadKey(content, namespace, prefix: prefix, metadata: metadata))
    }

    /// Stores a payload whose age is `days`.
    @discardableResult
    package func put(
        _ content: [UInt8],
        _ namespace: String = "ns",
        prefix: String? = nil,
        metadata: String = "",
        days: Double = 0
    ) throws -> PayloadKey {
        let key = try payloadKey(content, namespace, prefix: prefix, metadata: metadata)
        _ = try commit(content, as: key)
        if days > 0 { try makeOld(key, days: days) }
        return key
    }

    /// The payload of a key; `nil` if it is not stored.
    package func get(_ key: PayloadKey) throws -> [UInt8]? { try store.get(key) }

    package func get(_ content: [UInt8], _ namespace: String = "ns", prefix: String? = nil, metadata: String = "")
        throws -> [UInt8]?
    {
        try get(payloadKey(content, namespace, prefix: prefix, metadata: metadata))
    }

    package func keys() throws -> Set<PayloadKey> { try store.keys() }

    // MARK: The trash

    /// Moves a key to the trash, dated `days` ago.
    package func moveToTrash(_ key: PayloadKey, days: Double) throws {
        guard try store.moveToTrash(key, now: time(nil) - Int(days * 86_400)) else {
            throw NeverHappened(what: "\(key) is moved to the trash")
        }
    }

    /// The keys in the trash; the same key can be in the trash of several hours.
    package func trashed(_ selection: KeySelection = KeySelection()) throws -> [TrashedKey] {
        var found: [TrashedKey] = []
        try store.forEachTrashedKey(in: selection) { found.append($0) }
        return found
    }

    // MARK: Sweeping

    /// Starts a garbage collection. A child process that another test started holds the collector's lock until it calls
    /// execve(2).
    package func collector(of store: DiskStore? = nil) throws -> Collector {
        var collector: Collector?
        try eventually("no other collector runs") {
            do {
                collector = try (store ?? self.store).collector()
            } catch let error as StoreError where error.code == .busy {}
            return collector != nil
        }
        guard let collector else { throw NeverHappened(what: "a collector") }
        return collector
    }

    @discardableResult
    package func sweep(isDryRun: Bool = false) throws -> Swept { try collector().sweep(isDryRun: isDryRun) }

    // MARK: Files (docs/on-disk-format.md)

    package func file(_ relative: String) -> String { "\(path)/\(relative)" }

    package func objectFile(_ digest: Digest) -> String { file("objects/\(digest.hex.prefix(2))/\(digest.hex)") }

    package func objectFile(_ content: [UInt8]) -> String { objectFile(Digest(of: content)) }

    package func hasObject(_ content: [UInt8]) -> Bool { status(objectFile(content)) != nil }

    package func keyFile(_ key: PayloadKey) -> String {
        let shard = key.digest.hex.prefix(2)
        let folder = key.prefix.map { "custom/\($0)/@\(shard)" } ?? "common/\(shard)"
        return file("keys/\(key.namespace)/\(folder)/\(key.digest.hex).\(key.metadataHash.hex)")
    }

    /// The file names in `quarantine/`.
    package func quarantined() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: file("quarantine"))
    }

    /// The status of a file; `nil` if it does not exist.
    package func status(_ path: String) -> (links: UInt64, size: Int, mode: UInt32, modified: Int)? {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        return (UInt64(status.st_nlink), Int(status.st_size), status.st_mode & 0o7777, status.st_mtim.tv_sec)
    }

    package func setModified(_ path: String, to seconds: Int) {
        let times = Array(repeating: timespec(tv_sec: seconds, tv_nsec: 0), count: 2)
        utimensat(AT_FDCWD, path, times, 0)
    }

    package func setAge(_ path: String, seconds: Int) { setModified(path, to: time(nil) - seconds) }

    /// Sets a key's age to `days`.
    package func makeOld(_ key: PayloadKey, days: Double) throws {
        setAge(keyFile(key), seconds: Int(days * 86_400))
    }

    // MARK: Damage

    /// Replaces the content of a key.
    package func replace(_ key: PayloadKey, with content: [UInt8]) throws {
        let file = objectFile(key.digest)
        chmod(file, 0o640)
        try write(content, to: file)
        chmod(file, 0o440)
    }

    /// Changes the stored content of a payload in place, as a failing disk does.
    package func harm(_ content: [UInt8], _ harm: Harm = .flippedBit) throws {
        try self.harm(Digest(of: content), harm)
    }

    package func harm(_ digest: Digest, _ harm: Harm = .flippedBit) throws {
        let path = objectFile(digest)
        chmod(path, 0o600)
        var content = try contents(of: path)
        switch harm {
        case .flippedBit: content[content.count / 2] ^= 0x10
        case .truncation: content.removeLast()
        case .emptiness: content = []
        case .growth: content.append(0)
        }
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        try file.write(contentsOf: content)
        try file.truncate(atOffset: UInt64(content.count))
        try file.close()
        chmod(path, 0o440)
    }
}

/// Kinds of damage to content.
package enum Harm: String, CaseIterable, Sendable {
    /// The only kind that keeps the size.
    case flippedBit = "a flipped bit"
    case truncation = "a missing end"
    case emptiness = "an empty file"
    case growth = "an extra byte"
}
