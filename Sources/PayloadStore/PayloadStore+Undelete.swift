import Glibc
import PayloadKey
import SystemPackage

/// What an undeletion found.
public enum UndeleteOutcome: Sendable {
    /// The key is there again.
    case undeleted
    /// It was stored again in the meantime.
    case existed
    /// It is in the trash no more.
    case gone
}

extension PayloadStore {
    /// Gives a deleted key its content back, as an upload does: after the content was verified; its age counts from
    /// now.
    ///
    /// Where the trash has wrong content, that of the object serves, when it is right. The key leaves the trash only when
    /// it leads to content that was verified here.
    ///
    /// - Throws: ``StoreError``, with code `damaged` when there is no content that is what was stored; the key stays in
    ///   the trash then.
    public func undelete(_ trashed: TrashedKey) throws -> UndeleteOutcome {
        guard let (content, isFromTrash, wrong) = try verifiedContent(of: trashed) else { return .gone }
        let digest = trashed.stored.key.digest
        // Before the key is there: no collection may find it with the age for which it was deleted.
        try systemCall("renew the age of \(content.name)") { futimens(content.descriptor.rawValue, nil) }
        try content.descriptor.synchronize(content.name)
        let upload = VerifiedUpload(digest: digest, size: content.size, descriptor: content.descriptor, ownFile: nil)
        var undeletion = Undeletion(trashed: trashed, wrong: wrong)
        do {
            return try putBack(upload, &undeletion)
        } catch let error as StoreError where error.errno == .tooManyLinks {
            // The file has as many names as the file system allows.
            return try putBack(copy(of: content, digest), &undeletion)
        } catch let error as StoreError where error.code == .uploadGone && isFromTrash {
            return .gone
        }
    }

    /// What an undeletion has found out.
    private struct Undeletion {
        let trashed: TrashedKey
        /// What lies in the trash, when it is not what was stored.
        let wrong: WrongContent?
        /// The files that were found to have the right content.
        var verified: Set<FileStatus.Identity> = []
        /// Whether the key was not there.
        var isNew = false
    }

    // MARK: Content that is right

    /// The content of a key in the trash, or else of its object; with what is wrong with the first.
    ///
    /// - Returns: `nil` when the key is not in the trash.
    private func verifiedContent(
        of trashed: TrashedKey
    ) throws -> (content: FileContent, isFromTrash: Bool, wrong: WrongContent?)? {
        let path = trashed.stored.path
        let digest = trashed.stored.key.digest
        let failure: StoreError
        var wrong: WrongContent?
        do {
            guard let content = try openContent(path) else { return nil }
            wrong = try wrongContent(content, digest)
            guard let wrong else { return (content, true, nil) }
            failure = StoreError(.damaged, "\(path) is damaged: \(wrong.reason)")
        } catch let error as StoreError where error.isUnreadable || error.code == .damaged {
            failure = error
        }
        guard let object = try? openContent(StoreLayout.object(digest)),
            try object.identity() != wrong?.identity, try wrongContent(object, digest) == nil
        else { throw failure }
        logger.error(
            "a key in the trash is damaged, and gets the content of its object",
            metadata: ["key": "\(trashed.stored.key)", "error": "\(failure)"]
        )
        return (object, false, wrong)
    }

    private func copy(of content: FileContent, _ digest: Digest) throws -> VerifiedUpload {
        do {
            return try uploads.receive(length: content.size, digest: digest) { take in
                try content.read(0..<content.size, take)
            }
        } catch let error as UploadMismatch {
            throw StoreError(.damaged, "\(content.name) is damaged: \(error)")
        }
    }

    // MARK: The key

    private func putBack(_ upload: VerifiedUpload, _ undeletion: inout Undeletion) throws -> UndeleteOutcome {
        undeletion.verified.insert(try upload.descriptor.status("content").identity)
        let key = undeletion.trashed.stored.key
        // Each round verifies a file that the key was given meanwhile, or takes it away.
        for _ in 0..<8 {
            if try place(upload, &undeletion) { return undeletion.isNew ? .undeleted : .existed }
            try verifyKey(key, &undeletion)
        }
        throw StoreError(.system, "undelete \(key): it changes again and again, and stays in the trash")
    }

    /// One step for whoever deletes: a key is never taken from the trash that was just moved there again.
    ///
    /// - Returns: whether the key has verified content, and has left the trash. An object or key that was there before,
    ///   with the right size, may have other content.
    private func place(_ upload: VerifiedUpload, _ undeletion: inout Undeletion) throws(StoreError) -> Bool {
        let key = undeletion.trashed.stored.key
        let (outcome, isVerified) = try waitingForCounts(of: key.namespace) { () throws(StoreError) in
            try withExclusiveLock(of: key.digest.shard) { () throws(StoreError) in
                // Whoever undeletes has decided that it is to be there.
                let outcome = try place(upload, as: key, limit: nil)
                let file = try root.status(of: StoreLayout.key(key))?.identity
                let isVerified = file.map(undeletion.verified.contains) ?? false
                if isVerified { try leaveTrash(undeletion) }
                return (outcome, isVerified)
            }
        }
        if outcome != .existed { undeletion.isNew = true }
        return isVerified
    }

    /// A name that comes back with power does no harm: it is purged in its time.
    private func leaveTrash(_ undeletion: Undeletion) throws(StoreError) {
        let path = undeletion.trashed.stored.path
        if let wrong = undeletion.wrong, try root.status(of: path)?.identity == wrong.identity {
            let target = StoreLayout.quarantined(undeletion.trashed.stored.key.digest, IncomingFile.uniqueName())
            try systemCall("move \(path) to \(target)") { renameat(root.rawValue, path, root.rawValue, target) }
        } else {
            _ = try systemCall("unlink \(path)", expecting: .noSuchFileOrDirectory) {
                unlinkat(root.rawValue, path, 0)
            }
        }
    }

    /// Reads the file that a key has; what is wrong goes to quarantine, as a scrub does it.
    private func verifyKey(_ key: PayloadKey, _ undeletion: inout Undeletion) throws {
        guard let stored = try find(key), let content = try openContent(stored.path) else { return }
        let identity = try content.identity()
        guard let wrong = try wrongContent(content, key.digest) else {
            undeletion.verified.insert(identity)
            return
        }
        logger.error(
            "a damaged file of the store is replaced by verified content of the trash",
            metadata: ["file": "\(stored.path)", "found": "\(wrong.reason)"]
        )
        if try root.status(of: StoreLayout.object(key.digest))?.identity == identity {
            _ = try quarantine(object: key.digest, wrong)
        } else if identity == stored.identity {
            _ = try quarantine(stored, wrong) { _ in }
        }
    }
}
