import PayloadKey
import Storage

extension DiskStore {
    /// What is wrong with an open file; `nil` when its content is right.
    ///
    /// What is wrong at the first look is read again, from the disk: an error of the disk that goes away, or a bit that has
    /// flipped in memory, is no damage of what is stored.
    func wrongContent(_ content: FileContent, _ digest: Digest, _ pace: (Int) -> Void = { _ in }) throws -> String? {
        guard let first = try look(at: content, digest, pace) else { return nil }
        root.kernel.forgetCachedContent(of: content.descriptor.rawValue)
        if let second = try look(at: content, digest, pace) { return second }
        logger.warning(
            "content was wrong at the first look and right at the second one: the disk or the memory may be failing",
            metadata: ["file": "\(content.name)", "found": "\(first)"]
        )
        return nil
    }

    private func look(at content: FileContent, _ digest: Digest, _ pace: (Int) -> Void) throws -> String? {
        do {
            let actual = try content.digest(onPiece: pace)
            return actual == digest ? nil : "its \(content.size) bytes have digest \(actual)"
        } catch let error as StoreError where error.isUnreadable || error.code == .damaged {
            return "\(error)"
        }
    }
}
