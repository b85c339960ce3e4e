import Glibc
import Storage
import System

extension DiskStore {
    /// Restores a deleted key, after its content was verified; its age is renewed.
    ///
    /// - Throws: ``StoreError``, with code `damaged` when its content is lost or not what was stored; the key stays in
    ///   the trash then.
    public func undelete(_ trashed: TrashedKey) throws -> UndeleteOutcome {
        let key = trashed.stored.key
        let path = StoreLayout.object(key.digest)
        // An upload may replace damaged content meanwhile: what takes its place was verified, but not here.
        for _ in 0..<8 {
            guard let content = try FileContent(path, below: root) else {
                guard try root.status(of: trashed.stored.path) != nil else { return .gone }
                let message = "the content of \(key) is lost, it stays in the trash until it is uploaded again"
                throw StoreError(.damaged, message)
            }
            if let wrong = try wrongContent(content, key.digest) {
                throw StoreError(.damaged, "\(path) is damaged: \(wrong)")
            }
            // Before the key is there: no collection may find it with the age for which it was deleted.
            guard let file = try root.openIfThere(trashed.stored.path, O_RDONLY | O_NONBLOCK) else { return .gone }
            try file.setModified(try clock.stamp())
            try file.synchronize()
            let folder = try folders.folder(StoreLayout.keyFolder(key))
            let verified = try content.identity()
            let outcome = try afterCounts(of: key.namespace, isPatient: true) {
                try withExclusiveLock(of: key.digest.firstByte) {
                    try restore(trashed, file, verified, to: folder, size: content.size)
                }
            }
            withExtendedLifetime(content) {}
            guard let outcome else { continue }
            if outcome == .undeleted { try folder.synchronize() }
            return outcome
        }
        let message = "its content or folder changes again and again, and it stays in the trash"
        throw StoreError(.system, "restore \(key): \(message)")
    }

    /// Under the shard's exclusive lock: a key that was just moved to the trash again is not taken from it.
    ///
    /// - Returns: `nil` when the object is not the one that was verified, or the folder has gone.
    private func restore(
        _ trashed: TrashedKey,
        _ file: Descriptor,
        _ verified: FileStatus.Identity,
        to folder: Descriptor,
        size: UInt64
    ) throws -> UndeleteOutcome? {
        let key = trashed.stored.key
        guard let present = try root.status(of: trashed.stored.path)?.identity else { return .gone }
        guard try present == file.status().identity,
            try root.status(of: StoreLayout.object(key.digest))?.identity == verified
        else { return nil }
        if try root.status(of: StoreLayout.key(key)) != nil {
            try root.unlink(trashed.stored.path)
            return .existed
        }
        try noteInBarrier(key.digest)
        do {
            // Whoever restores it has decided that it is to be there: no limit.
            try changing(key, adding: size) {
                try root.rename(trashed.stored.path, to: StoreLayout.keyName(key), in: folder)
            }
        } catch let error as StoreError where error.errno == .noSuchFileOrDirectory {
            // It was empty, and was removed.
            return nil
        }
        return .undeleted
    }
}
