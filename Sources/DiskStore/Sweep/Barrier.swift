import Glibc
import PayloadKey
import Storage

/// A write barrier, as concurrent garbage collectors use it: `barriers/ab` lists the digests of a shard that got a key
/// since a collector started, 64 hex digits per line.
///
/// A barrier is raised while a collector holds its file locked; whatever a killed collector left in the file is
/// ignored. The files exist since the store's creation, so raising and lowering a barrier takes no space.
final class Barrier {
    private let file: Descriptor
    /// The digests read so far, and the offset where the next read starts.
    private var known: Set<Digest> = []
    private var offset: UInt64 = 0

    /// Raises the barrier of a shard for the life of this object. The caller holds the shard's exclusive lock, so that
    /// every key stored earlier, without being listed here, is already visible.
    init(raising shard: UInt8, _ root: Descriptor) throws {
        file = try root.open(StoreLayout.barrier(shard), O_RDWR | O_CREAT, mode: 0o640)
        guard try file.tryLock(LOCK_EX) else { throw try file.busy() }
        try file.truncate()
    }

    /// The barrier that a collector has raised for a shard; `nil` if there is none. The caller holds the shard's lock.
    init?(of shard: UInt8, _ root: Descriptor) throws {
        guard let file = try root.openIfThere(StoreLayout.barrier(shard), O_WRONLY | O_APPEND) else { return nil }
        self.file = file
        // No collector can raise it meanwhile, because that needs the shard's exclusive lock.
        if try file.tryLock(LOCK_SH) { return nil }
    }

    /// Lists a digest in a single write, because the digits of another process could get between two writes.
    func note(_ digest: Digest) throws {
        let line = Array("\n\(digest.hex)\n".utf8)
        for _ in 0..<8 where try file.append(line) == line.count { return }
        throw StoreError(.noSpace, "write \(file.name): only a part of a line was written")
    }

    /// The listed digests; reads those added since the last call. The caller holds the shard's exclusive lock.
    func digests() throws -> Set<Digest> {
        let size = try file.status().size
        var bytes: [UInt8] = []
        try FileContent(file, size: size).read(offset..<max(offset, size)) { bytes += Array($0) }
        known.formUnion(bytes.split(separator: UInt8(ascii: "\n")).compactMap { Digest(hex: $0) })
        offset = size
        return known
    }
}

extension DiskStore {
    /// Lists a content in its shard's barrier, if one is raised, before a key gets a name that leads to it. The caller
    /// holds the shard's lock.
    func noteInBarrier(_ digest: Digest) throws {
        try Barrier(of: digest.firstByte, root)?.note(digest)
    }
}
