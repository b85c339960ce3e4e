import Logging
import PayloadKey
import Storage
import Synchronization
import System

/// A sharded, content-addressed tree of payloads on one file system.
///
/// Every content is one file under `objects/`, and every key that names it an empty file under `keys/`. Any number of
/// threads and processes may use one store at once.
///
/// Lock order: a shard's lock (``withSharedLock(of:_:)``, ``withExclusiveLock(of:_:)``), and inside it for moments, the
/// mutex of ``folders`` or the lock of a namespace's ``UsageCounter``. The collector's lock and the lock of a count are
/// taken before all of them.
public final class DiskStore: Sendable {
    /// The store's root, as the operator gave it.
    public let path: String
    /// Takes uploads in.
    public let uploads: UploadFolder
    /// The most bytes that a namespace's keys may have in all; `nil`: any number.
    public let quota: @Sendable (Namespace) -> UInt64?
    /// How long to wait for a lock that another process holds.
    let patience: Duration
    /// Whether a commit waits, for however long, while its namespace is counted.
    let waitsForCounts: Bool

    let root: Descriptor
    var incoming: Descriptor { uploads.descriptor }
    let folders: FolderCache
    let clock: StoreClock
    /// The epoch of counts that this process has joined (``epochName()``).
    let epoch: Mutex<(file: Descriptor, name: String)?> = Mutex(nil)
    /// Whether a thread of this process counts a namespace.
    let isCounting = Atomic(false)
    let logger: Logger

    /// How long a request waits for a lock: whoever holds one exclusively makes a few system calls, unless it is stopped.
    public static let requestPatience = Duration.seconds(3)
    /// How long a command of an operator waits for a lock.
    public static let commandPatience = Duration.seconds(60)

    /// Opens an existing store and makes sure that payloads can be committed to it.
    ///
    /// - Parameters:
    ///   - path: the store's root.
    ///   - reserve: bytes of free space to keep; `nil` for 1 GiB or 5 % of the file system, whichever is smaller.
    ///   - quota: the most bytes that a namespace's keys may have in all; `nil` for any number.
    ///   - otherFiles: the most files that this process has open at once; what is left of its limit (getrlimit(2),
    ///     `RLIMIT_NOFILE`) is for folders that the store holds open.
    ///   - patience: how long to wait for a lock that another process holds.
    ///   - waitsForCounts: whether a commit waits, for however long, while its namespace is counted.
    ///   - logger: where the store logs what an operator should know.
    ///   - kernel: what it runs on, which may be a model.
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
            // Downloads go on, and uploads when there is space again.
            logger.warning("no space to check what the file system can do", metadata: ["error": "\(error)"])
        }
    }

    static func openRoot(_ path: String, _ kernel: any Kernel) throws -> Descriptor {
        try call("store \(path) can't be opened, make it with 'lps init'", failsAs: .missing) {
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

    /// A commit links from `incoming/` into `objects/`: tried once, since a mount point inside the store would make every
    /// upload fail.
    private func checkLinking() throws {
        let probe = try IncomingFile(in: incoming, logger: logger)
        let target = "\(StoreLayout.objects)/\(StoreLayout.probePrefix)\(probe.name)"
        do {
            _ = try root.link(probe.descriptor, to: target)
        } catch let error as StoreError where error.errno == .improperLink {
            let folders = "\(StoreLayout.incoming)/ can't link into \(StoreLayout.objects)/"
            let message = "store \(path) is shared between file systems: \(folders)"
            throw StoreError(.spansFileSystems, message, errno: error.errno)
        } catch let error as StoreError where error.errno == .notPermitted {
            let message = "the file system of store \(path) has no hard links"
            throw StoreError(.unsupportedFileSystem, message, errno: error.errno)
        }
        try root.unlink(target)
    }
}
