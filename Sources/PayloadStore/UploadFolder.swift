import Glibc
import Logging
import SystemPackage

/// The folder on this machine where uploads are taken in and verified: the web server's, which writes them there, and this
/// process's own, for bodies that come through FastCGI.
public final class UploadFolder: Sendable {
    /// Bytes of free space below which no payload is taken.
    public let reserve: UInt64

    /// Its path, as the operator gave it, and what an error calls it.
    let path: String
    let name: String
    /// The setting that must agree with the web server's.
    let setting: String
    /// Where uploads may come from: the folder as the operator spells it, and as it is without links; with a slash.
    let spellings: [[UInt8]]
    let descriptor: Descriptor
    /// Whether what is taken in here is linked into a store.
    let isLinked: Bool
    let logger: Logger

    /// Opens a folder that belongs to no store on disk.
    ///
    /// - Parameters:
    ///   - path: the folder's.
    ///   - reserve: bytes of free space to keep; `nil` for 1 GiB or 5 % of the file system, whichever is smaller.
    ///   - setting: the setting that names the folder, for errors.
    ///   - logger: where it tells of what an operator should know.
    /// - Throws: ``StoreError`` with code `missing`, `notWritable` or `system`.
    public convenience init(path: String, reserve: UInt64? = nil, setting: String, logger: Logger) throws(StoreError) {
        let path = PayloadStore.withoutTrailingSlashes(path)
        let name = "folder of uploads \(path)"
        let descriptor: Descriptor
        do {
            descriptor = Descriptor(
                try systemCall("open \(name)") { Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
            )
        } catch {
            throw StoreError(.missing, error.action, errno: error.errno)
        }
        try self.init(
            path: path,
            name: name,
            setting: setting,
            descriptor: descriptor,
            fileSystem: FileSystemSpace(descriptor, name),
            isLinked: false,
            reserve: reserve,
            logger: logger
        )
        try checkWritable()
        guard try descriptor.status(of: StoreLayout.description) == nil else {
            throw StoreError(.notWritable, "\(name) is a store on disk, expected its folder \(StoreLayout.incoming)/")
        }
    }

    init(
        path: String,
        name: String,
        setting: String,
        descriptor: Descriptor,
        fileSystem: FileSystemSpace,
        isLinked: Bool,
        reserve: UInt64?,
        logger: Logger
    ) throws(StoreError) {
        self.path = path
        self.name = name
        self.setting = setting
        self.descriptor = descriptor
        self.isLinked = isLinked
        self.reserve = reserve ?? min(1 << 30, fileSystem.total / 20)
        self.logger = logger
        spellings = try [path, Self.resolved(path)].map { Array("\($0)/".utf8) }
    }

    private static func resolved(_ path: String) throws(StoreError) -> String {
        guard let resolved = realpath(path, nil) else {
            let error = Errno(rawValue: errno)
            throw StoreError(.missing, "resolve \(path)", errno: error)
        }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// Makes sure that it is still what its path leads to, and that files can be made in it.
    ///
    /// - Throws: ``StoreError`` with code `notWritable`, or `missing`.
    public func checkWritable() throws(StoreError) {
        do {
            try systemCall("write to \(name)") { faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) }
        } catch {
            throw StoreError(.notWritable, error.action, errno: error.errno)
        }
        var status = stat()
        try systemCall("stat \(name)") { stat(path, &status) }
        guard FileStatus(status).identity == (try descriptor.status(name).identity) else {
            throw StoreError(.missing, "\(name) is another folder than at the start")
        }
    }
}
