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
            try incoming.synchronize()
            let lock = try root.open(StoreLayout.lock(0), O_RDWR | O_CREAT, mode: 0o640)
            try lock.synchronizeData()
            // Held by others, it is supported.
            _ = try lock.tryLock(LOCK_SH)
        } catch let error as StoreError {
            let refusals: [Errno] = [.invalidArgument, .notSupported, .noFunction]
            guard let errno = error.errno, refusals.contains(errno) else { throw error }
            throw Self.unsupported(path, error.action, errno)
        }
    }

    static func unsupported(_ path: String, _ reason: String, _ errno: Errno? = nil) -> StoreError {
        let message = "the file system of store \(path) can't do what payloads need: \(reason)"
        return StoreError(.unsupportedFileSystem, message, errno: errno)
    }
}
