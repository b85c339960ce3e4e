import Glibc
import Storage
import System
import SystemPackage

extension DiskStore {
    /// The name of the store's file system if it is a network or FUSE file system, whose syncs and locks can't be
    /// trusted; else `nil`.
    public var remoteFileSystem: String? { root.kernel.remoteFileSystem(of: root.rawValue) }

    /// As ``remoteFileSystem``, for the folder at a path; `nil` also if it can't be opened.
    public static func remoteFileSystem(at path: String) -> String? {
        let kernel = LinuxKernel.shared
        return (try? Descriptor(folder: path, kernel)).flatMap { kernel.remoteFileSystem(of: $0.rawValue) }
    }

    /// Checks that the file system has the features that the store relies on: syncs of files and folders, and locks.
    ///
    /// - Throws: ``StoreError`` with code `unsupportedFileSystem` that names the missing feature, or with the code of
    ///   another failure.
    public func checkFileSystem() throws {
        do {
            try incoming.synchronize()
            let lock = try root.open(StoreLayout.lock(0), O_RDWR | O_CREAT, mode: 0o640)
            try lock.synchronizeData()
            // A lock held by another process proves support, too.
            _ = try lock.tryLock(LOCK_SH)
        } catch let error as StoreError {
            let refusals: [Errno] = [.invalidArgument, .notSupported, .noFunction]
            guard let errno = error.errno, refusals.contains(errno) else { throw error }
            throw Self.unsupported(path, error.action, errno)
        }
    }

    static func unsupported(_ path: String, _ reason: String, _ errno: Errno? = nil) -> StoreError {
        let message = "the file system of store \(path) cannot be used: \(reason)"
        return StoreError(.unsupportedFileSystem, message, errno: errno)
    }
}
