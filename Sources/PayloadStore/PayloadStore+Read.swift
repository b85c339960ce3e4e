import Glibc
import PayloadKey
import SystemPackage

/// A payload of the store, open for reading. It stays readable while this value lives, also when its key is deleted.
public struct StoredPayload: Sendable {
    /// The payload's length in bytes.
    public let size: UInt64
    /// The file's path relative to the store's root.
    public let path: String

    private let descriptor: Descriptor

    init(size: UInt64, path: String, descriptor: Descriptor) {
        self.size = size
        self.path = path
        self.descriptor = descriptor
    }

    /// Hands `range` of the payload to `take`, piece by piece.
    ///
    /// - Throws: ``StoreError`` when the file can't be read or ends early, or what `take` throws.
    public func read(_ range: Range<UInt64>, _ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: PayloadStore.pieceSize, alignment: 16)
        defer { buffer.deallocate() }
        var offset = range.lowerBound
        while offset < range.upperBound {
            let wanted = Int(min(UInt64(buffer.count), range.upperBound - offset))
            let count = try countingSystemCall("read \(path)") {
                pread(descriptor.rawValue, buffer.baseAddress, wanted, off_t(offset))
            }
            guard count > 0 else {
                throw StoreError(.damaged, "read \(path): file ends at byte \(offset), it had \(size) bytes")
            }
            try take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            offset += UInt64(count)
        }
    }
}

extension PayloadStore {
    /// Opens the payload that is stored under a key; `nil` when there is none.
    ///
    /// - Throws: ``StoreError`` when there is something that can't be opened or is no regular file: that is a fault of
    ///   the store, and must never look like a payload that was not stored.
    public func open(_ key: PayloadKey) throws(StoreError) -> StoredPayload? {
        let path = "\(StoreLayout.keyFolder(key))/\(StoreLayout.keyName(key))"
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
