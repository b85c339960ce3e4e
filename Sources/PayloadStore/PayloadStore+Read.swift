import Glibc
import PayloadKey
import SystemPackage

extension PayloadStore {
    /// Opens the payload that is stored under a key; `nil` when there is none.
    ///
    /// - Throws: ``StoreError`` when there is something that can't be opened or is no regular file: that is a fault of
    ///   the store, and must never look like a payload that was not stored.
    public func open(_ key: PayloadKey) throws(StoreError) -> StoredPayload? {
        let path = StoreLayout.key(key)
        let file: Descriptor
        do {
            file = try root.open(path, O_RDONLY | O_NONBLOCK)
        } catch let error where error.errno == .noSuchFileOrDirectory {
            return nil
        }
        let status = try file.status(path)
        guard status.isRegular else { throw StoreError(.damaged, "\(path) is not a regular file") }
        return StoredPayload(FileContent(size: status.size, name: path, descriptor: file))
    }
}
