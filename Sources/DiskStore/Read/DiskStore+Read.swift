import Glibc
import PayloadKey
import Storage
import System

extension DiskStore {
    /// Opens the payload stored under a key; `nil` if there is none.
    ///
    /// A key whose content is lost counts as not stored, and the loss is logged.
    ///
    /// - Throws: ``StoreError`` if a file exists but can't be opened or is not a regular file: this is a fault of the
    ///   store, and must never look like a payload that was not stored.
    public func open(_ key: PayloadKey, until deadline: ContinuousClock.Instant? = nil) throws -> StoredPayload? {
        guard try isStored(key) else { return nil }
        if let content = try FileContent(StoreLayout.object(key.digest), below: root) { return content }
        try logLoss(of: key)
        return nil
    }

    /// As ``open(_:until:)``, for a payload that the web server opens by itself.
    public func locate(_ key: PayloadKey, until deadline: ContinuousClock.Instant?) throws -> (any PayloadLocation)? {
        guard try isStored(key) else { return nil }
        if let location = try FileLocation(StoreLayout.object(key.digest), below: root) { return location }
        try logLoss(of: key)
        return nil
    }

    /// Logs that a key that was just found has no content.
    private func logLoss(of key: PayloadKey) throws {
        // If the key was deleted between the two checks, its content was not lost.
        if try isStored(key) { logger.error("content lost", metadata: ["key": "\(key)"]) }
    }

    /// Whether a key exists. Opens the file, because stat(2) would follow a link on the path to another namespace's
    /// key.
    private func isStored(_ key: PayloadKey) throws -> Bool {
        try reading { try root.canOpen(StoreLayout.key(key)) }
    }

    /// Looks up a key without opening its content; `nil` if the key is not stored.
    ///
    /// - Throws: ``StoreError`` with code `damaged` if its file is not a regular file.
    public func find(_ key: PayloadKey) throws -> StoredKey? {
        let path = StoreLayout.key(key)
        guard let status = try root.status(of: path) else { return nil }
        guard status.isRegular else { throw StoreError(.damaged, "\(path) is not a regular file") }
        return try storedKey(key, path, lastStored: status.modified)
    }

    /// As ``find(_:)``, for a path from a walk; `nil` if the file was deleted since its folder was read, or is not a
    /// regular file.
    func stored(_ key: PayloadKey, _ path: String) throws -> StoredKey? {
        try regularFile(path).map { try storedKey(key, path, lastStored: $0.modified) }
    }

    func storedKey(_ key: PayloadKey, _ path: String, lastStored: Int) throws -> StoredKey {
        let object = try regularFile(StoreLayout.object(key.digest))
        return StoredKey(key, size: object?.size, diskUsage: object?.diskUsage ?? 0, lastStored: lastStored, path: path)
    }

    /// The size with which a key counts; zero if its content is lost, or the key does not exist.
    func size(of key: PayloadKey) throws -> UInt64 {
        guard try regularFile(StoreLayout.key(key)) != nil else { return 0 }
        return try regularFile(StoreLayout.object(key.digest))?.size ?? 0
    }

    /// The status of a regular file; `nil` if the path is missing or something else.
    func regularFile(_ path: String) throws -> FileStatus? {
        try root.status(of: path).flatMap { $0.isRegular ? $0 : nil }
    }
}
