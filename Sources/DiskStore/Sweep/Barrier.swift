import Glibc
import PayloadKey
import Storage

/// What is stored while a collector looks for unreferenced content: `barriers/ab` lists the digests of a shard that got a
/// key since the collector began, 64 hex digits in a line. A write barrier, as concurrent garbage collectors have one.
///
/// A barrier is raised as long as a collector holds its file locked; what a killed collector has left in the file means
/// nothing. The files are there from the store's beginning: raising and lowering take no space.
final class Barrier {
    private let file: Descriptor
    /// Digests that were read, and up to where.
    private var known: Set<Digest> = []
    private var offset: UInt64 = 0

    /// Raises the barrier of a shard, until this object is gone; under the shard's exclusive lock, so that every key that is
    /// stored without being listed here is visible by now.
    init(raising shard: UInt8, _ root: Descriptor) throws {
        file = try root.open(StoreLayout.barrier(shard), O_RDWR | O_CREAT, mode: 0o640)
        guard try file.tryLock(LOCK_EX) else { throw try file.busy() }
        try file.truncate()
    }

    /// The barrier that a collector has raised for a shard; `nil` when there is none. Under the shard's lock.
    init?(of shard: UInt8, _ root: Descriptor) throws {
        guard let file = try root.openIfThere(StoreLayout.barrier(shard), O_WRONLY | O_APPEND) else { return nil }
        self.file = file
        // No collector can raise it meanwhile, which takes the shard's exclusive lock.
        if try file.tryLock(LOCK_SH) { return nil }
    }

    /// Lists a digest, in one write: of two that take turns, another one's digits would come in between.
    func note(_ digest: Digest) throws {
        let line = Array("\n\(digest.hex)\n".utf8)
        for _ in 0..<8 where try file.append(line) == line.count { return }
        throw StoreError(.noSpace, "write \(file.name): it takes only a part of a line")
    }

    /// What is listed; under the shard's exclusive lock. Reads what was listed since the last time.
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
    /// Lists a content in its shard's barrier, where one is raised, before a key gets a name that leads to it. Under the
    /// shard's lock.
    func noteInBarrier(_ digest: Digest) throws {
        try Barrier(of: digest.firstByte, root)?.note(digest)
    }
}
