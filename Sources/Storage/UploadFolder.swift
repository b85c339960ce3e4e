import Logging
import System

/// The folder on this machine where uploads are taken in and verified: the web server's, which writes them there, and this
/// process's own, for bodies that come through FastCGI.
public final class UploadFolder: Sendable {
    /// Bytes of free space below which no payload is taken.
    public let reserve: UInt64

    /// Its path, as the operator gave it, and what an error calls it.
    package let path: String
    let name: String
    /// The setting that must agree with the web server's.
    let setting: String
    /// Where uploads may come from: the folder as the operator spells it, and as it is without links; with a slash.
    let spellings: [[UInt8]]
    package let descriptor: Descriptor
    /// Whether what is taken in here is linked into a store.
    let isLinked: Bool
    package let logger: Logger

    /// Opens a folder that belongs to no store on disk.
    ///
    /// - Parameters:
    ///   - path: the folder's.
    ///   - reserve: bytes of free space to keep; `nil` for 1 GiB or 5 % of the file system, whichever is smaller.
    ///   - setting: the setting that names the folder, for errors.
    ///   - logger: where it tells of what an operator should know.
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

    /// - Parameter setting: `nil`: it is the one of the store on disk.
    package init(_ folder: Descriptor, path: String, setting: String?, reserve: UInt64?, logger: Logger) throws {
        self.path = path
        name = setting == nil ? "store" : "folder of uploads \(path)"
        self.setting = setting ?? "--store"
        descriptor = folder
        isLinked = setting == nil
        self.reserve = try reserve ?? min(1 << 30, folder.space().total / 20)
        self.logger = logger
        let resolved = try call("resolve \(path)", failsAs: .missing) { try folder.kernel.resolve(path) }
        spellings = [path, resolved].map { Array("\($0)/".utf8) }
    }

    /// Makes sure that it is still what its path leads to, and that files can be made in it.
    ///
    /// - Throws: ``StoreError`` with code `notWritable`, or `missing`.
    public func checkWritable() throws {
        try call("write to \(name)", failsAs: .notWritable) { try descriptor.kernel.checkWritable(path, in: nil) }
        let present = try Descriptor(folder: path, descriptor.kernel).status()
        guard present.identity == (try descriptor.status().identity) else {
            throw StoreError(.missing, "\(name) is another folder than at the start")
        }
    }
}

/// A path that an operator gave, without slashes at its end.
package func withoutTrailingSlashes(_ path: String) -> String {
    let end = path.utf8.lastIndex { $0 != UInt8(ascii: "/") }
    return end.map { String(path[...$0]) } ?? path
}
