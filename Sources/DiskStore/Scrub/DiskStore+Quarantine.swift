import PayloadKey
import Storage
import System

extension DiskStore {
    /// Moves a damaged object to quarantine. Its keys stay, and answer 404 until the same payload is uploaded again.
    ///
    /// - Parameter damaged: the identity of the damaged file. The caller holds the file open if it can, so that its
    ///   inode number is not reused.
    /// - Returns: the path in quarantine; `nil` if an upload has replaced the object, or it was deleted.
    func quarantine(_ digest: Digest, _ damaged: FileStatus.Identity) throws -> String? {
        let path = StoreLayout.object(digest)
        let target = StoreLayout.quarantined(digest, IncomingFile.uniqueName(root.kernel))
        return try withExclusiveLock(of: digest.firstByte) {
            guard try root.status(of: path)?.identity == damaged else { return nil }
            do {
                try loseContent(digest)
            } catch let error as StoreError where error.code == .noSpace {
                // Not serving damaged content matters more than exact usage counts.
                logger.error(
                    "no space to mark lost content: run 'lps quota --recount' after it is uploaded again",
                    metadata: ["file": "\(path)", "error": "\(error)"]
                )
            }
            try root.rename(path, to: target)
            // Synced, because the scrub record may make later scrubs skip an object that returns after a power loss.
            do {
                try root.synchronizeFolder(StoreLayout.quarantine)
                try root.synchronizeFolder(StoreLayout.objectFolder(digest.firstByte))
            } catch {
                // A failed sync must not stop the scrub, which may find more damage.
                logger.error(
                    "quarantine not synced: damaged content may return after a power loss",
                    metadata: ["file": "\(path)", "error": "\(error)"]
                )
            }
            return target
        }
    }
}
