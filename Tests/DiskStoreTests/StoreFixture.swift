import Foundation
import PayloadKey
import TestSupport

@testable import PayloadStore

/// Namespaces that begin or end with what is one `Character` with a slash beside it.
let namespacesThatMeltIntoSlashes = ["\u{301}x", "x\u{600}", "\u{200D}", "\u{600}\u{301}"]

/// A store in a temporary folder, with what it logged.
final class StoreFixture: Sendable {
    let folder: TemporaryFolder
    let path: String
    let store: PayloadStore
    let log: RecordedLog

    /// - Parameter quota: the most bytes that a namespace may have.
    init(
        reserve: UInt64 = 0,
        quota: @escaping @Sendable (Namespace) -> UInt64? = { _ in nil },
        otherFiles: Int = 256
    ) throws {
        folder = try TemporaryFolder()
        path = folder.file("store")
        log = RecordedLog()
        try PayloadStore.create(at: path)
        store = try PayloadStore(
            path: path,
            reserve: reserve,
            quota: quota,
            otherFiles: otherFiles,
            logger: log.logger
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
        return try store.commit(
            upload,
            as: key(content, namespace: namespace, prefix: prefix, metadata: metadata)
        )
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

    func file(_ relative: String) -> String { "\(path)/\(relative)" }

    func objectPath(_ content: [UInt8]) -> String {
        file(StoreLayout.object(Digest(of: content)))
    }

    func keyPath(_ content: [UInt8], metadata: String = "") throws -> String {
        try file(StoreLayout.key(key(content, metadata: metadata)))
    }

    /// Links and inode of a file; `nil` when there is none.
    func status(_ path: String) -> (inode: UInt64, links: UInt64, mode: UInt32, modified: Int)? {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        return (UInt64(status.st_ino), UInt64(status.st_nlink), status.st_mode & 0o7777, status.st_mtim.tv_sec)
    }

    func setAge(_ path: String, seconds: Int) {
        var times = [
            timespec(tv_sec: time(nil) - seconds, tv_nsec: 0), timespec(tv_sec: time(nil) - seconds, tv_nsec: 0),
        ]
        utimensat(AT_FDCWD, path, &times, 0)
    }
}

extension PayloadStore {
    /// What does not belong in the upper folders.
    func strayFiles() throws -> [String] {
        try Self.upperFolders.flatMap { folder in
            let found = try strayFiles(in: folder)
            return found.paths + found.notUTF8
        }
    }
}
