import Glibc
import Storage
import System

extension DiskStore {
    /// Restores a key from the trash after verifying its content, and renews its age.
    ///
    /// - Throws: ``StoreError``, with code `damaged` if its content is lost or damaged. The key then stays in the
    ///   trash.
    public func undelete(_ trashed: TrashedKey) throws -> UndeleteOutcome {
        let key = trashed.stored.key
        let path = StoreLayout.object(key.digest)
        // Retries, because an upload may replace the object meanwhile, with content that this call has not verified.
        for _ in 0..<8 {
            guard let content = try FileContent(path, below: root) else {
                guard try root.status(of: trashed.stored.path) != nil else { return .gone }
                let message = "the content of \(key) is lost, upload it again to restore the key"
                throw StoreError(.damaged, message)
            }
            if let wrong = try wrongContent(content, key.digest) {
                throw StoreError(.damaged, "\(path) is damaged: \(wrong)")
            }
            // The age is renewed before the key exists, so that no collection deletes it again for its old age.
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
        let message = "its content or folder keeps changing, and it stays in the trash"
        throw StoreError(.system, "restore \(key): \(message)")
    }

    /// Moves the key back, under the shard's exclusive lock, unless it has just been deleted again.
    ///
    /// - Returns: `nil` if the object is not the verified one, or the folder was deleted.
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
            // No limit: the operator who restores the key has decided that it must exist.
            try changing(key, adding: size) {
                try root.rename(trashed.stored.path, to: StoreLayout.keyName(key), in: folder)
            }
        } catch let error as StoreError where error.errno == .noSuchFileOrDirectory {
            // The folder was empty, and another process deleted it.
            return nil
        }
        return .undeleted
    }
}
