import Glibc
import PayloadKey
import Storage
import System

extension DiskStore {
    /// Opens the payload that is stored under a key; `nil` when there is none.
    ///
    /// A key whose content is lost counts as not stored, and is logged.
    ///
    /// - Throws: ``StoreError`` when there is something that can't be opened or is no regular file: that is a fault of
    ///   the store, and must never look like a payload that was not stored.
    public func open(_ key: PayloadKey, until deadline: ContinuousClock.Instant? = nil) throws -> StoredPayload? {
        guard try isStored(key) else { return nil }
        if let content = try FileContent(StoreLayout.object(key.digest), below: root) { return content }
        // Deleted between the two looks, it had content until then.
        if try isStored(key) {
            logger.error(
                "the content of a key is lost, until the payload is uploaded again",
                metadata: ["key": "\(key)"]
            )
        }
        return nil
    }

    /// Whether a key is there. Opened, since a link on the way would lead to another namespace's key.
    private func isStored(_ key: PayloadKey) throws -> Bool {
        do {
            return try root.openIfThere(StoreLayout.key(key), O_RDONLY | O_NONBLOCK) != nil
        } catch let error as StoreError where error.isUnreadable {
            throw StoreError(.unreadable, error.action, errno: error.errno)
        }
    }

    /// What is stored under a key, without opening it; `nil` when there is nothing.
    ///
    /// - Throws: ``StoreError`` with code `damaged` when it is no regular file.
    public func find(_ key: PayloadKey) throws -> StoredKey? {
        let path = StoreLayout.key(key)
        guard let status = try root.status(of: path) else { return nil }
        guard status.isRegular else { throw StoreError(.damaged, "\(path) is not a regular file") }
        return try storedKey(key, path, lastStored: status.modified)
    }

    /// `nil` when it has gone since its folder was read, or is no file.
    func stored(_ key: PayloadKey, _ path: String) throws -> StoredKey? {
        try regularFile(path).map { try storedKey(key, path, lastStored: $0.modified) }
    }

    func storedKey(_ key: PayloadKey, _ path: String, lastStored: Int) throws -> StoredKey {
        let object = try regularFile(StoreLayout.object(key.digest))
        return StoredKey(key, size: object?.size, diskUsage: object?.diskUsage ?? 0, lastStored: lastStored, path: path)
    }

    /// The size that a key counts with; zero while its content is lost, or when the key is not there.
    func size(of key: PayloadKey) throws -> UInt64 {
        guard try regularFile(StoreLayout.key(key)) != nil else { return 0 }
        return try regularFile(StoreLayout.object(key.digest))?.size ?? 0
    }

    /// The file at a path; `nil` when there is none, or something else.
    func regularFile(_ path: String) throws -> FileStatus? {
        try root.status(of: path).flatMap { $0.isRegular ? $0 : nil }
    }
}
