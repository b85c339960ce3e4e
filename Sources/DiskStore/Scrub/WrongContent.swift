import PayloadKey
import Storage

extension DiskStore {
    /// The fault of an open file in words; `nil` if its content matches the digest.
    ///
    /// A mismatch is read a second time, from the disk: a temporary disk error or a bit flip in memory does not mean
    /// that the stored content is damaged.
    func wrongContent(_ content: FileContent, _ digest: Digest, _ pace: (Int) -> Void = { _ in }) throws -> String? {
        guard let first = try look(at: content, digest, pace) else { return nil }
        root.kernel.forgetCachedContent(of: content.descriptor.rawValue)
        if let second = try look(at: content, digest, pace) { return second }
        logger.warning(
            "content was damaged at the first read but not at the second: the disk or memory may be failing",
            metadata: ["file": "\(content.name)", "found": "\(first)"]
        )
        return nil
    }

    private func look(at content: FileContent, _ digest: Digest, _ pace: (Int) -> Void) throws -> String? {
        do {
            let actual = try content.digest(onPiece: pace)
            return actual == digest ? nil : "has \(content.size) bytes with digest \(actual)"
        } catch let error as StoreError where error.isUnreadable || error.code == .damaged {
            return "\(error)"
        }
    }
}
