import Logging
import PayloadKey
import Storage
import Synchronization
import System

/// A sharded, content-addressed tree of payloads on one file system.
///
/// Each content is one file under `objects/`, and each key that names it is an empty file under `keys/`. Any number of
/// threads and processes may use one store at the same time.
///
/// Lock order: first the collector's lock and the lock of a count, then a shard's lock (``withSharedLock(of:_:)``,
/// ``withExclusiveLock(of:_:)``), and inside it, briefly, the mutex of ``folders`` or the lock of a namespace's
/// ``UsageCounter``.
public final class DiskStore: Sendable {
    /// The store's root, as the operator gave it.
    public let path: String
    /// The folder `incoming/`, which receives uploads.
    public let uploads: UploadFolder
    /// The quota of a namespace, in bytes; `nil` for no quota.
    public let quota: @Sendable (Namespace) -> UInt64?
    /// How long to wait for a lock that another process holds.
    let patience: Duration
    /// Whether a commit waits, without limit, while its namespace is being counted.
    let waitsForCounts: Bool

    let root: Descriptor
    var incoming: Descriptor { uploads.descriptor }
    let folders: FolderCache
    let clock: StoreClock
    /// The epoch of counts that this process joined (``epochName()``).
    let epoch: Mutex<(file: Descriptor, name: String)?> = Mutex(nil)
    /// Whether a thread of this process is counting a namespace.
    let isCounting = Atomic(false)
    let logger: Logger

    /// How long a request waits for a lock. Unless it is stopped, a process holds a lock exclusively only for a few
    /// system calls.
    public static let requestPatience = Duration.seconds(3)
    /// How long an operator's command waits for a lock.
    public static let commandPatience = Duration.seconds(60)

    /// Opens an existing store and checks that payloads can be committed to it.
    ///
    /// - Parameters:
    ///   - path: the store's root.
    ///   - reserve: free space to leave untouched, in bytes; `nil` for 1 GiB or 5 % of the file system, whichever is
    ///     smaller.
    ///   - quota: returns a namespace's quota in bytes; `nil` for no quota.
    ///   - otherFiles: the largest number of files that the rest of the process opens at once. The store may hold
    ///     folders open with the remainder of the process's limit (getrlimit(2), `RLIMIT_NOFILE`).
    ///   - patience: how long to wait for a lock that another process holds.
    ///   - waitsForCounts: whether a commit waits, without limit, while its namespace is being counted.
    ///   - logger: receives messages for the operator.
    ///   - kernel: the kernel to use, which may be a model.
    /// - Throws: ``StoreError`` with code `missing`, `unknownFormat`, `notWritable`, `spansFileSystems`,
    ///   `unsupportedFileSystem` or `system`.
    package init(
        path: String,
        reserve: UInt64? = nil,
        quota: @escaping @Sendable (Namespace) -> UInt64? = { _ in nil },
        otherFiles: Int = 256,
        patience: Duration = DiskStore.requestPatience,
        waitsForCounts: Bool = false,
        logger: Logger,
        kernel: any Kernel = LinuxKernel.shared
    ) throws {
        let path = withoutTrailingSlashes(path)
        let root = try Self.openRoot(path, kernel)
        try StoreFormat.check(root, path)
        self.path = path
        self.root = root
        self.quota = quota
        self.patience = patience
        self.waitsForCounts = waitsForCounts
        self.logger = logger
        clock = StoreClock(root: root, logger: logger)
        let incoming = try call("store \(path) has no folder \(StoreLayout.incoming)/", failsAs: .unknownFormat) {
            try root.openFolder(StoreLayout.incoming)
        }
        let uploadPath = "\(path)/\(StoreLayout.incoming)"
        uploads = try UploadFolder(incoming, path: uploadPath, setting: nil, reserve: reserve, logger: logger)
        folders = FolderCache(root: root, otherFiles: otherFiles)
        try checkFolders()
        do {
            try Self.checkNames(of: root, path)
            try checkLinking()
        } catch let error as StoreError where error.code == .noSpace {
            // Downloads still work, and uploads will once there is space.
            logger.warning("no space for the file system check", metadata: ["error": "\(error)"])
        }
    }

    static func openRoot(_ path: String, _ kernel: any Kernel) throws -> Descriptor {
        try call("store \(path) cannot be opened, create it with 'lps init'", failsAs: .missing) {
            try Descriptor(folder: path, kernel)
        }
    }

    private func checkFolders() throws {
        for name in StoreLayout.folders {
            guard let status = try root.status(of: name), status.isFolder else {
                throw StoreError(.unknownFormat, "store \(path) has no folder \(name)/")
            }
            try checkWritable(name)
        }
    }

    func checkWritable(_ name: String) throws {
        try call("write to folder \(name)/ of store \(path)", failsAs: .notWritable) {
            try root.kernel.checkWritable(name, in: root.rawValue)
        }
    }

    /// Tries one link from `incoming/` to `objects/`, as a commit makes: with a mount point inside the store, every
    /// upload would fail.
    private func checkLinking() throws {
        let probe = try IncomingFile(in: incoming, logger: logger)
        let target = "\(StoreLayout.objects)/\(StoreLayout.probePrefix)\(probe.name)"
        do {
            _ = try root.link(probe.descriptor, to: target)
        } catch let error as StoreError where error.errno == .improperLink {
            let folders = "\(StoreLayout.incoming)/ cannot link into \(StoreLayout.objects)/"
            let message = "store \(path) spans file systems: \(folders)"
            throw StoreError(.spansFileSystems, message, errno: error.errno)
        } catch let error as StoreError where error.errno == .notPermitted {
            let message = "the file system of store \(path) has no hard links"
            throw StoreError(.unsupportedFileSystem, message, errno: error.errno)
        }
        try root.unlink(target)
    }
}
