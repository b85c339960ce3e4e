import Glibc
import PayloadKey
import SystemPackage

/// A file whose content is not right: which one, and why.
struct WrongContent {
    let identity: FileStatus.Identity
    let reason: String
}

extension PayloadStore {
    /// What is wrong with a file, and which file it is; `nil` when its content is right, or it is gone, or is no file,
    /// which ``inspect(repair:pace:report:)`` tells.
    func wrongContent(
        _ path: String,
        _ digest: Digest,
        _ pace: (Int) -> Void,
        opened: () -> Void = {}
    ) throws -> WrongContent? {
        guard try root.status(of: path)?.isRegular == true, let content = try openContent(path) else { return nil }
        opened()
        return try wrongContent(content, digest, pace)
    }

    /// What is wrong with an open file; `nil` when its content is right.
    ///
    /// What is wrong at the first look is read again, from the disk: an error of the disk that goes away, or a bit that has
    /// flipped in memory, is no damage of what is stored.
    func wrongContent(
        _ content: FileContent,
        _ digest: Digest,
        _ pace: (Int) -> Void = { _ in }
    ) throws -> WrongContent? {
        guard let first = try look(at: content, digest, pace) else { return nil }
        // Advice: a page that is in use otherwise stays (posix_fadvise(2)).
        posix_fadvise(content.descriptor.rawValue, 0, 0, POSIX_FADV_DONTNEED)
        if let second = try look(at: content, digest, pace) { return second }
        logger.warning(
            "content was wrong at the first look and right at the second one: the disk or the memory may be failing",
            metadata: ["file": "\(content.name)", "found": "\(first.reason)"]
        )
        return nil
    }

    private func look(at content: FileContent, _ digest: Digest, _ pace: (Int) -> Void) throws -> WrongContent? {
        let identity = try content.identity()
        var hasher = DigestHasher()
        do {
            try content.read(0..<content.size) { piece in
                hasher.update(piece)
                pace(piece.count)
            }
        } catch let error as StoreError where error.isUnreadable || error.code == .damaged {
            return WrongContent(identity: identity, reason: "\(error)")
        }
        let actual = hasher.finalize()
        guard actual != digest else { return nil }
        return WrongContent(identity: identity, reason: "its \(content.size) bytes have digest \(actual)")
    }

    /// Opens a file of the tree; `nil` when there is none.
    ///
    /// - Throws: ``StoreError`` with code `unreadable`, or `damaged` when it is no regular file.
    func openContent(_ path: String) throws(StoreError) -> FileContent? {
        let file: Descriptor
        do {
            file = try root.open(path, O_RDONLY | O_NONBLOCK)
        } catch let error where error.errno == .noSuchFileOrDirectory {
            return nil
        } catch let error where error.isUnreadable {
            throw StoreError(.unreadable, error.action, errno: error.errno)
        }
        let status = try file.status(path)
        guard status.isRegular else { throw StoreError(.damaged, "\(path) is not a regular file") }
        return FileContent(size: status.size, name: path, descriptor: file)
    }
}

extension FileContent {
    /// Which file it is.
    func identity() throws(StoreError) -> FileStatus.Identity { try descriptor.status(name).identity }
}
