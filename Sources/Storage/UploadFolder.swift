import Logging
import Synchronization
import System

/// The folder on this machine that receives uploads: nginx buffers them there, and this process writes bodies there
/// that arrive through FastCGI.
public final class UploadFolder: Sendable {
    /// The free space that uploads leave untouched, in bytes.
    public let reserve: UInt64

    /// The folder's path, as the operator gave it.
    package let path: String
    let name: String
    /// The setting that must agree with the web server's, for errors.
    let setting: String
    /// The prefixes of acceptable upload paths, each with a slash at the end: the folder as the operator gave it, and
    /// with all links resolved.
    let spellings: [[UInt8]]
    package let descriptor: Descriptor
    /// Whether uploads from here are linked into a store on disk.
    let isLinked: Bool
    package let logger: Logger
    /// The last query of free space, if its result may be reused.
    let look: Mutex<SpaceLook?> = Mutex(nil)

    /// Opens a folder that belongs to no store on disk.
    ///
    /// - Parameters:
    ///   - path: the folder's path.
    ///   - reserve: free space to leave untouched, in bytes; `nil` for 1 GiB or 5 % of the file system, whichever is
    ///     smaller.
    ///   - setting: the setting that names the folder, for errors.
    ///   - logger: receives messages for the operator.
    /// - Throws: ``StoreError`` with code `missing`, `notWritable` or `system`.
    public convenience init(path: String, reserve: UInt64? = nil, setting: String, logger: Logger) throws {
        let path = withoutTrailingSlashes(path)
        let folder = try call("open \(path)", failsAs: .missing) { try Descriptor(folder: path, LinuxKernel.shared) }
        try self.init(folder, path: path, setting: setting, reserve: reserve, logger: logger)
        try checkWritable()
        guard try descriptor.status(of: "layout.json") == nil else {
            throw StoreError(.notWritable, "\(name) is a store on disk, expected its folder incoming/")
        }
    }

    /// - Parameter setting: `nil` for the folder of a store on disk.
    package init(_ folder: Descriptor, path: String, setting: String?, reserve: UInt64?, logger: Logger) throws {
        self.path = path
        name = setting == nil ? "store" : "folder for uploads \(path)"
        self.setting = setting ?? "--store"
        descriptor = folder
        isLinked = setting == nil
        self.reserve = try reserve ?? min(1 << 30, folder.space().total / 20)
        self.logger = logger
        let resolved = try call("resolve \(path)", failsAs: .missing) { try folder.kernel.resolve(path) }
        spellings = [path, resolved].map { Array("\($0)/".utf8) }
    }

    /// Checks that the folder's path still leads to the same folder, and that files can be created in it.
    ///
    /// - Throws: ``StoreError`` with code `notWritable` or `missing`.
    public func checkWritable() throws {
        try call("write to \(name)", failsAs: .notWritable) { try descriptor.kernel.checkWritable(path, in: nil) }
        let present = try Descriptor(folder: path, descriptor.kernel).status()
        guard present.identity == (try descriptor.status().identity) else {
            throw StoreError(.missing, "\(name) is another folder than at the start")
        }
    }
}

/// A path that an operator gave, without trailing slashes.
package func withoutTrailingSlashes(_ path: String) -> String {
    let end = path.utf8.lastIndex { $0 != UInt8(ascii: "/") }
    return end.map { String(path[...$0]) } ?? path
}
