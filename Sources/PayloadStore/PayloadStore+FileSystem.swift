import Glibc
import SystemPackage

extension PayloadStore {
    /// What the store's file system is called when it is on a network, or another program's: it can't be trusted with
    /// syncs and locks.
    public var remoteFileSystem: String? { RemoteFileSystem.name(of: root) }

    /// As ``remoteFileSystem``, of the folder at a path; `nil` also when it can't be opened.
    public static func remoteFileSystem(at path: String) -> String? {
        (try? openRoot(path)).flatMap(RemoteFileSystem.name)
    }

    /// Makes sure that the file system has what every answer relies on: syncs of files and of folders, and locks.
    ///
    /// - Throws: ``StoreError`` with code `unsupportedFileSystem` that names what it lacks, or with that of another failure.
    public func checkFileSystem() throws(StoreError) {
        try checkSupport { () throws(StoreError) in
            try incoming.synchronize("\(StoreLayout.incoming)/")
            let lock = StoreLayout.lock(StoreLayout.shards[0])
            let file = try root.open(lock, O_RDWR | O_CREAT, mode: 0o640)
            try systemCall("fdatasync \(lock)") { fdatasync(file.rawValue) }
            // Held by others, it is supported.
            _ = try systemCall("lock \(lock)", expecting: .wouldBlock) { flock(file.rawValue, LOCK_SH | LOCK_NB) }
        }
    }

    private func checkSupport(_ work: () throws(StoreError) -> Void) throws(StoreError) {
        do throws(StoreError) {
            try work()
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
