import Glibc
import Logging
import PayloadKey
import Synchronization
import SystemPackage

/// A sharded, content-addressed tree of payloads on one file system.
///
/// Every content is one file under `objects/`, and every key a hard link to it under `keys/`. Any number of threads and
/// processes may use one store at once.
///
/// Lock order: a commit takes its shard's lock (``StoreLayout/lock(_:)``) and, inside it, for moments, the mutex of
/// ``folders`` or the lock of its namespace's ``UsageCounter``. Nothing takes them the other way round.
public final class PayloadStore: Sendable {
    /// The store's root, as the operator gave it.
    public let path: String
    /// Takes uploads in.
    public let uploads: UploadFolder
    /// The most bytes that a namespace's keys may have in all; `nil`: any number.
    public let quota: @Sendable (Namespace) -> UInt64?

    let root: Descriptor
    var incoming: Descriptor { uploads.descriptor }
    let folders: FolderCache
    let epoch: UsageEpoch
    /// Whether a thread of this process counts a namespace.
    let isCounting = Mutex(false)
    let logger: Logger

    /// Opens an existing store and makes sure that payloads can be committed to it.
    ///
    /// - Parameters:
    ///   - path: the store's root.
    ///   - reserve: bytes of free space to keep; `nil` for 1 GiB or 5 % of the file system, whichever is smaller.
    ///   - quota: the most bytes that a namespace's keys may have in all; `nil` for any number.
    ///   - otherFiles: the most files that this process has open at once; what is left of its limit (getrlimit(2),
    ///     `RLIMIT_NOFILE`) is for folders that the store holds open.
    ///   - logger: where the store tells of what an operator should know.
    /// - Throws: ``StoreError`` with code `missing`, `unknownFormat`, `notWritable`, `spansFileSystems`,
    ///   `unsupportedFileSystem` or `system`.
    public init(
        path: String,
        reserve: UInt64? = nil,
        quota: @escaping @Sendable (Namespace) -> UInt64? = { _ in nil },
        otherFiles: Int = 256,
        logger: Logger
    ) throws(StoreError) {
        let path = Self.withoutTrailingSlashes(path)
        let root = try Self.openRoot(path)
        try Self.checkFormat(root, path)
        let fileSystem = try FileSystemSpace(root, path)
        self.path = path
        self.root = root
        self.quota = quota
        self.logger = logger
        epoch = UsageEpoch(root: root)
        let incoming: Descriptor
        do {
            incoming = try root.open(StoreLayout.incoming, O_RDONLY | O_DIRECTORY)
        } catch {
            throw StoreError(.unknownFormat, "store \(path) has no folder \(StoreLayout.incoming)/", errno: error.errno)
        }
        uploads = try UploadFolder(
            path: "\(path)/\(StoreLayout.incoming)",
            name: "store",
            setting: "--store",
            descriptor: incoming,
            fileSystem: fileSystem,
            isLinked: true,
            reserve: reserve,
            logger: logger
        )
        folders = FolderCache(root: root, otherFiles: otherFiles)
        try checkFolders()
        do {
            try checkLinking()
        } catch let error where error.code == .noSpace {
            // Downloads go on, and uploads when there is space again.
            logger.warning("no space to try whether uploads can be linked", metadata: ["error": "\(error)"])
        }
    }

    static func withoutTrailingSlashes(_ path: String) -> String {
        let end = path.utf8.lastIndex { $0 != UInt8(ascii: "/") }
        return end.map { String(path[...$0]) } ?? path
    }

    static func openRoot(_ path: String) throws(StoreError) -> Descriptor {
        do {
            return Descriptor(
                try systemCall("open store \(path)") { Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
            )
        } catch {
            throw StoreError(.missing, "store \(path) can't be opened, make it with 'lps init'", errno: error.errno)
        }
    }

    static func checkFormat(_ root: Descriptor, _ path: String) throws(StoreError) {
        let format: StoreFormat
        do {
            format = try StoreFormat(readFrom: root)
        } catch {
            throw StoreError(
                .unknownFormat,
                "store \(path) has no readable \(StoreLayout.description), make a store with 'lps init' (\(error))",
                errno: (error as? StoreError)?.errno
            )
        }
        guard format == .current else {
            throw StoreError(
                .unknownFormat,
                "store \(path) has format '\(format.format)' version \(format.version), "
                    + "this version knows '\(StoreFormat.current.format)' version \(StoreFormat.current.version)"
            )
        }
    }

    private func checkFolders() throws(StoreError) {
        for name in StoreLayout.folders {
            guard let status = try root.status(of: name), status.isFolder else {
                throw StoreError(.unknownFormat, "store \(path) has no folder \(name)/")
            }
            try checkWritable(name)
        }
    }

    func checkWritable(_ name: String) throws(StoreError) {
        do {
            try systemCall("write to folder \(name)/ of store \(path)") {
                faccessat(root.rawValue, name, W_OK | X_OK, AT_EACCESS)
            }
        } catch {
            throw StoreError(.notWritable, error.action, errno: error.errno)
        }
    }

    /// A commit links from `incoming/` into `objects/` and from there into `keys/`: tried once, since a mount point
    /// inside the store would let every upload fail.
    private func checkLinking() throws(StoreError) {
        let probe = try IncomingFile(in: incoming, logger: logger)
        for folder in [StoreLayout.objects, StoreLayout.keys] {
            let target = "\(folder)/\(StoreLayout.probePrefix)\(probe.name)"
            do {
                try link(probe.descriptor, to: target, in: root)
            } catch let error where error.errno == .improperLink {
                throw StoreError(
                    .spansFileSystems,
                    "store \(path) is shared between file systems: \(StoreLayout.incoming)/ can't link into \(folder)/",
                    errno: error.errno
                )
            } catch let error where error.errno == .notPermitted {
                throw StoreError(
                    .unsupportedFileSystem,
                    "the file system of store \(path) has no hard links",
                    errno: error.errno
                )
            }
            try systemCall("unlink \(target)") { unlinkat(root.rawValue, target, 0) }
        }
    }
}
