import PayloadKey
import Storage
import System

extension DiskStore {
    /// Moves an object that was found damaged to quarantine. Its keys stay, and answer 404 until the same payload is uploaded
    /// again.
    ///
    /// - Parameter damaged: which file it is. It must be open, where it can be: its identity is given to no other file then.
    /// - Returns: where it was moved; `nil` when an upload has replaced it, or it is gone.
    func quarantine(_ digest: Digest, _ damaged: FileStatus.Identity) throws -> String? {
        let path = StoreLayout.object(digest)
        let target = StoreLayout.quarantined(digest, IncomingFile.uniqueName(root.kernel))
        return try withExclusiveLock(of: digest.firstByte) {
            guard try root.status(of: path)?.identity == damaged else { return nil }
            do {
                try loseContent(digest)
            } catch let error as StoreError where error.code == .noSpace {
                // Never to serve it matters more than what its namespaces use.
                logger.error(
                    "no space to mark lost content: use 'lps quota --recount' once it is uploaded again",
                    metadata: ["file": "\(path)", "error": "\(error)"]
                )
            }
            try root.rename(path, to: target)
            // Come back after a power loss, no later scrub need read it again.
            do {
                try root.synchronizeFolder(StoreLayout.quarantine)
                try root.synchronizeFolder(StoreLayout.objectFolder(digest.firstByte))
            } catch {
                // A disk that fails to sync is no reason to leave the rest of the damage.
                logger.error(
                    "damaged content that was moved to quarantine may come back after a power loss",
                    metadata: ["file": "\(path)", "error": "\(error)"]
                )
            }
            return target
        }
    }
}
