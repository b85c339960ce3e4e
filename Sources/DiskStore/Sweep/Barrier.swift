import Glibc
import PayloadKey
import Storage
import System

/// What is stored while a collector looks for unreferenced content: `barriers/ab` lists the digests of a shard that got a
/// key since the collector began, 64 hex digits in a line. A write barrier, as concurrent garbage collectors have one.
///
/// The collector holds the file locked. A file that nobody holds is what a collector has left that was killed.
struct Barrier {
    private let file: Descriptor
    private let path: String

    /// Raises the barrier of a shard; under the shard's exclusive lock, so that every key that is stored without being
    /// listed here is visible by now.
    init(raising shard: UInt8, _ root: Descriptor) throws(StoreError) {
        path = StoreLayout.barrier(shard)
        file = try root.open(path, O_RDWR | O_CREAT, mode: 0o640)
        guard try file.tryLock(LOCK_EX, path) else { throw try file.busy(path) }
        try file.truncate(path)
    }

    /// The barrier that a collector has raised for a shard; `nil` when there is none. Under the shard's lock.
    init?(of shard: UInt8, _ root: Descriptor) throws(StoreError) {
        path = StoreLayout.barrier(shard)
        guard let file = try root.openIfThere(path, O_WRONLY | O_APPEND) else { return nil }
        self.file = file
        if try file.tryLock(LOCK_SH, path) {
            // Its collector is gone. No other one can raise it meanwhile, which takes the shard's exclusive lock.
            try root.unlink(path)
            return nil
        }
    }

    /// Lists a digest. A line that could not be written whole is ended by the next one.
    func note(_ digest: Digest) throws(StoreError) {
        try file.write(Array("\n\(digest.hex)\n".utf8), path)
    }

    /// The digests that are listed; under the shard's exclusive lock.
    func digests() throws(StoreError) -> Set<Digest> {
        var bytes: [UInt8] = []
        let size = try file.status(path).size
        do {
            try FileContent(size: size, name: path, descriptor: file).read(0..<size) { bytes += Array($0) }
        } catch let error as StoreError {
            throw error
        } catch {
            throw StoreError(.system, "read \(path): \(error)")
        }
        return Set(bytes.split(separator: UInt8(ascii: "\n")).compactMap { Digest(hex: $0) })
    }

    /// Lowers the barrier: what is stored from now on is no concern of this collector.
    func lower(_ root: Descriptor) throws(StoreError) { try root.unlink(path) }
}

extension DiskStore {
    /// Lists a content in its shard's barrier, where one is raised, before a key gets a name that leads to it. Under the
    /// shard's lock.
    func noteInBarrier(_ digest: Digest) throws(StoreError) {
        try Barrier(of: digest.firstByte, root)?.note(digest)
    }
}
