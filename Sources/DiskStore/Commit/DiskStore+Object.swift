import Glibc
import PayloadKey
import Storage
import System

/// What an upload finds in its object's place. A name and a size prove nothing: content is compared before an upload is
/// answered with "exists".
extension DiskStore {
    /// The object that an upload finds, when it has the same content; `nil` when there is none. One that differs has been
    /// replaced by the upload.
    func verifiedObject(replacedBy upload: VerifiedUpload) throws(StoreError) -> FileContent? {
        let path = StoreLayout.object(upload.digest)
        for _ in 0..<8 {
            guard let status = try root.status(of: path) else { return nil }
            let object = try openObject(path, status)
            guard let reason = try difference(between: object, status, and: upload) else { return object }
            try checkAgain(upload)
            // Open until then, so that its identity is not given to another file.
            try withExtendedLifetime(object) { () throws(StoreError) in
                try replace(path, status.identity, with: upload, reason)
            }
        }
        throw StoreError(.damaged, "\(path) is damaged again and again")
    }

    /// Makes sure that of the two, it is not the upload that has changed since it was verified.
    private func checkAgain(_ upload: VerifiedUpload) throws(StoreError) {
        let content = FileContent(size: upload.size, name: "upload", descriptor: upload.descriptor)
        let actual: Digest
        do {
            actual = try content.digest()
        } catch {
            throw error as? StoreError ?? StoreError(.system, "read upload: \(error)")
        }
        guard actual == upload.digest else {
            throw StoreError(.damaged, "upload has changed since it was verified: its content has digest \(actual)")
        }
    }

    /// - Returns: `nil` when it can't be opened, or is no regular file.
    private func openObject(_ path: String, _ status: FileStatus) throws(StoreError) -> FileContent? {
        // A link could not even be opened.
        guard status.isRegular else { return nil }
        do throws(StoreError) {
            return try FileContent(path, below: root)
        } catch {
            guard error.code == .damaged || error.code == .unreadable else { throw error }
            return nil
        }
    }

    /// What is wrong with an object; `nil` when it has the upload's content.
    private func difference(
        between object: FileContent?,
        _ status: FileStatus,
        and upload: VerifiedUpload
    ) throws(StoreError) -> String? {
        guard let object else { return "it can't be read as a file" }
        guard object.size == upload.size else { return "it has \(object.size) bytes, not \(upload.size)" }
        let mine = UnsafeMutableRawBufferPointer.allocate(byteCount: FileContent.pieceSize, alignment: 16)
        let theirs = UnsafeMutableRawBufferPointer.allocate(byteCount: FileContent.pieceSize, alignment: 16)
        defer {
            mine.deallocate()
            theirs.deallocate()
        }
        var offset: UInt64 = 0
        while offset < upload.size {
            let wanted = Int(min(UInt64(mine.count), upload.size - offset))
            let count = try upload.descriptor.read(
                into: UnsafeMutableRawBufferPointer(rebasing: mine[..<wanted]),
                at: offset,
                "upload"
            )
            guard count > 0 else { throw StoreError(.damaged, "read upload: file ends at byte \(offset)") }
            var read = 0
            while read < count {
                let rest = UnsafeMutableRawBufferPointer(rebasing: theirs[read..<count])
                let more: Int
                do throws(StoreError) {
                    more = try object.descriptor.read(into: rest, at: offset + UInt64(read), object.name)
                } catch {
                    guard error.isUnreadable else { throw error }
                    return "\(error)"
                }
                if more == 0 { return "it ends at byte \(offset + UInt64(read))" }
                read += more
            }
            guard let one = mine.baseAddress, let other = theirs.baseAddress, memcmp(one, other, count) == 0 else {
                return "it differs within \(count) bytes from byte \(offset) on"
            }
            offset += UInt64(count)
        }
        return nil
    }

    /// Puts the upload in the place of a damaged object, which goes to quarantine. Readers find the one or the other.
    private func replace(
        _ path: String,
        _ damaged: FileStatus.Identity,
        with upload: VerifiedUpload,
        _ reason: String
    ) throws(StoreError) {
        try makeDurable(upload)
        let target = StoreLayout.quarantined(upload.digest, IncomingFile.uniqueName(root.kernel))
        let isReplaced = try withExclusiveLock(of: upload.digest.firstByte) { () throws(StoreError) in
            guard let present = try root.status(of: path), present.identity == damaged else { return false }
            try loseContent(upload.digest)
            try keepDamaged(path, present, as: target)
            let temporary = IncomingFile.uniqueName(root.kernel)
            guard try incoming.link(upload.descriptor, to: temporary) else { return false }
            do throws(StoreError) {
                try incoming.rename(temporary, to: path, in: root)
            } catch {
                // What can't be removed now is removed as a leftover.
                _ = try? incoming.unlink(temporary)
                throw error
            }
            try root.synchronizeFolder(StoreLayout.objectFolder(upload.digest.firstByte))
            try finishRevival(of: upload.digest)
            return true
        }
        guard isReplaced else { return }
        logger.error(
            "damaged content is replaced by a verified upload",
            metadata: ["file": "\(path)", "found": "\(reason)", "moved_to": "\(target)"]
        )
    }

    /// Gives a damaged object a name in quarantine, on disk. What is no file is moved there.
    private func keepDamaged(_ path: String, _ status: FileStatus, as target: String) throws(StoreError) {
        let file = try openObject(path, status)
        if let file {
            _ = try root.link(file.descriptor, to: target)
        } else {
            try root.rename(path, to: target)
        }
        try root.synchronizeFolder(StoreLayout.quarantine)
    }
}
