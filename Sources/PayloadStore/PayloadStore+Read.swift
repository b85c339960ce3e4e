import Glibc
import PayloadKey
import SystemPackage

/// A payload of the store, open for reading. It stays readable while this value lives, also when its key is deleted.
public struct StoredPayload: Sendable {
    /// The file's path relative to the store's root.
    public let path: String
    private let content: FileContent

    init(size: UInt64, path: String, descriptor: Descriptor) {
        self.path = path
        content = FileContent(size: size, name: path, descriptor: descriptor)
    }

    /// The payload's length in bytes.
    public var size: UInt64 { content.size }

    /// Hands `range` of the payload to `take`, piece by piece.
    ///
    /// - Throws: ``StoreError`` when the file can't be read or ends early, or what `take` throws.
    public func read(_ range: Range<UInt64>, _ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        try content.read(range, take)
    }

    /// Reads the whole payload and makes sure that it is what was stored.
    ///
    /// - Parameter onPiece: called with each piece; what it throws ends the reading.
    /// - Throws: ``StoreError`` with code `damaged` when its digest is another one, or what `onPiece` throws.
    public func check(_ digest: Digest, onPiece: () throws -> Void = {}) throws {
        let actual = try content.digest(onPiece: onPiece)
        guard actual == digest else {
            throw StoreError(.damaged, "\(path) is damaged: its content has digest \(actual)")
        }
    }
}

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
        return StoredPayload(size: status.size, path: path, descriptor: file)
    }
}
