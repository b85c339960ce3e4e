import Glibc
import Storage
import System
import SystemPackage

extension DiskStore {
    /// What the store's file system is called when it is on a network, or another program's: it can't be trusted with
    /// syncs and locks.
    public var remoteFileSystem: String? { root.kernel.remoteFileSystem(of: root.rawValue) }

    /// As ``remoteFileSystem``, of the folder at a path; `nil` also when it can't be opened.
    public static func remoteFileSystem(at path: String) -> String? {
        let kernel = LinuxKernel.shared
        return (try? Descriptor(folder: path, kernel)).flatMap { kernel.remoteFileSystem(of: $0.rawValue) }
    }

    /// Makes sure that the file system has what every answer relies on: syncs of files and of folders, and locks.
    ///
    /// - Throws: ``StoreError`` with code `unsupportedFileSystem` that names what it lacks, or with that of another failure.
    public func checkFileSystem() throws {
        do {
            try incoming.synchronize("\(StoreLayout.incoming)/")
            let lock = StoreLayout.lock(0)
            let file = try root.open(lock, O_RDWR | O_CREAT, mode: 0o640)
            try file.synchronizeData(lock)
            // Held by others, it is supported.
            _ = try file.tryLock(LOCK_SH, lock)
        } catch {
            let refusals: [Errno] = [.invalidArgument, .notSupported, .noFunction]
            guard let errno = error.errno, refusals.contains(errno) else { throw error }
            throw StoreError(
                .unsupportedFileSystem,
                "the file system of store \(path) can't do what payloads need: \(error.action)",
                errno: errno
            )
        }
    }
}
