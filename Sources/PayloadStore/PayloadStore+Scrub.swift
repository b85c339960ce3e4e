import Glibc
import PayloadKey
import SystemPackage

/// A file whose content is not right: which one, and why.
private struct WrongContent {
    let identity: FileStatus.Identity
    let reason: String
}

extension PayloadStore {
    /// Reads all content and moves what is damaged to `quarantine/`, while uploads and downloads go on.
    ///
    /// Every object is read, and every key that is not a link to its object (docs/on-disk-format.md tells when). When it
    /// has come to its end, the store remembers when it began; a scrub that was interrupted or failed counts for nothing.
    ///
    /// - Parameters:
    ///   - scope: what to read. A scrub since the last one sees all that was written since, and what a program did to a
    ///     file; it can't see content that the disk has lost or changed by itself, for which only reading everything will
    ///     do, nor what was written while the system's clock was set back behind the last scrub.
    ///   - pace: called after so many bytes were read; may take its time.
    ///   - report: called with each finding: damaged content, when its keys are gone, and content that can't be read, which
    ///     makes a scrub incomplete.
    /// - Returns: how many files were read, and how many bytes.
    /// - Throws: ``StoreError``; what was moved is safe, and another scrub does the rest.
    public func scrub(
        _ scope: ScrubScope = .everything,
        pace: (_ bytes: Int) -> Void = { _ in },
        report: (Finding) throws -> Void
    ) throws -> (files: Int, bytes: UInt64) {
        let started = try fileSystemTime()
        let since = try start(of: scope, now: started)
        var files = 0
        var bytes: UInt64 = 0
        var isComplete = true
        func check(_ path: String, _ digest: Digest) throws -> WrongContent? {
            if since > .min, let status = try root.status(of: path), status.changed < since { return nil }
            do {
                return try wrongContent(path, digest) { count in
                    bytes += UInt64(count)
                    pace(count)
                } opened: {
                    files += 1
                }
            } catch let error as StoreError where error.code == .unreadable {
                isComplete = false
                try report(Finding(.unreadable, path, "can't be read: \(error)"))
                return nil
            }
        }
        for shard in StoreLayout.shards {
            for name in try root.namesIfThere("\(StoreLayout.objects)/\(shard)") {
                guard let digest = Digest(hex: name.utf8), digest.shard == shard,
                    let wrong = try check(StoreLayout.object(digest), digest)
                else { continue }
                try report(try quarantine(object: digest, wrong))
            }
        }
        try forEachKey { stored in
            guard try !isLinkToObject(stored), let wrong = try check(stored.path, stored.key.digest) else { return }
            if let finding = try quarantine(stored, wrong, pace) { try report(finding) }
        }
        if isComplete { try recordScrub(started: started, isFull: since == .min) }
        return (files, bytes)
    }

    /// How many bytes a scrub is going to read, but for keys without object; nothing is read for that.
    public func contentToScrub(_ scope: ScrubScope) throws(StoreError) -> UInt64 {
        let since = try start(of: scope, now: fileSystemTime())
        var bytes: UInt64 = 0
        for shard in StoreLayout.shards {
            let folder = "\(StoreLayout.objects)/\(shard)"
            for name in try root.namesIfThere(folder) {
                guard let status = try root.status(of: "\(folder)/\(name)"), status.isRegular,
                    status.changed >= since
                else { continue }
                bytes += status.size
            }
        }
        return bytes
    }

    /// From when on what has changed must be read, in microseconds since 1970.
    ///
    /// Content has the ctime of the last link to it: what was there when the last scrub began, and has not changed since,
    /// was read by it, or by one before.
    private func start(of scope: ScrubScope, now: Int64) throws(StoreError) -> Int64 {
        switch scope {
        case .everything:
            return .min
        case .sinceLast:
            // A scrub in the future was one on a clock that was wrong.
            guard let last = try lastScrub(), last.started <= now else { return .min }
            return last.started
        }
    }

    private func isLinkToObject(_ stored: StoredKey) throws(StoreError) -> Bool {
        try root.status(of: StoreLayout.object(stored.key.digest))?.identity == stored.identity
    }

    /// Reads the content of a key, and takes it away when it is not right.
    func quarantineIfDamaged(_ stored: StoredKey, _ pace: (Int) -> Void) throws -> Finding? {
        guard let wrong = try wrongContent(stored.path, stored.key.digest, pace) else { return nil }
        return try quarantine(stored, wrong, pace)
    }

    /// What is wrong with a file, and which file it is; `nil` when its content is right, or it is gone, or is no file,
    /// which ``inspect(repair:pace:report:)`` tells.
    private func wrongContent(
        _ path: String,
        _ digest: Digest,
        _ pace: (Int) -> Void,
        opened: () -> Void = {}
    ) throws -> WrongContent? {
        guard try root.status(of: path)?.isRegular == true, let file = try openIfThere(path) else { return nil }
        opened()
        let status = try file.status(path)
        let content = FileContent(size: status.size, name: path, descriptor: file)
        var hasher = DigestHasher()
        do {
            try content.read(0..<content.size) { piece in
                hasher.update(piece)
                pace(piece.count)
            }
        } catch let error as StoreError where error.errno == .ioError {
            return WrongContent(identity: status.identity, reason: "\(error)")
        }
        let actual = hasher.finalize()
        guard actual != digest else { return nil }
        return WrongContent(identity: status.identity, reason: "its \(status.size) bytes have digest \(actual)")
    }

    private func openIfThere(_ path: String) throws(StoreError) -> Descriptor? {
        do {
            return try root.open(path, O_RDONLY | O_NONBLOCK)
        } catch let error where error.errno == .noSuchFileOrDirectory {
            return nil
        } catch let error where error.errno == .permissionDenied || error.errno == .ioError {
            throw StoreError(.unreadable, error.action, errno: error.errno)
        }
    }

    /// Takes an object out of the tree, then its keys: no upload can link to it any more.
    private func quarantine(
        object digest: Digest,
        _ wrong: WrongContent
    ) throws -> Finding {
        let path = StoreLayout.object(digest)
        let target = StoreLayout.quarantined(digest, IncomingFile.uniqueName())
        let isMoved = try withExclusiveLock(of: digest.shard) { () throws(StoreError) in
            // An upload may have replaced it.
            guard try root.status(of: path)?.identity == wrong.identity else { return false }
            try systemCall("move \(path) to \(target)") { renameat(root.rawValue, path, root.rawValue, target) }
            return true
        }
        var keys: [PayloadKey] = []
        try forEachKey(of: .one(digest)) { stored in
            if try takeAway(stored, ifItIs: wrong.identity) { keys.append(stored.key) }
        }
        return Finding(
            .damaged,
            path,
            wrong.reason,
            .mended(isMoved ? "moved to \(target)" : "replaced by an upload"),
            damage: Damage(digest: digest, quarantine: isMoved ? target : nil, keys: keys)
        )
    }

    /// Takes away a key that has damaged content of its own, and gives it that of its object, where that is right; `nil`
    /// when an upload has replaced it.
    private func quarantine(
        _ stored: StoredKey,
        _ wrong: WrongContent,
        _ pace: (Int) -> Void
    ) throws -> Finding? {
        let digest = stored.key.digest
        let target = StoreLayout.quarantined(digest, IncomingFile.uniqueName())
        guard try takeAway(stored, ifItIs: wrong.identity, keepAs: target) else { return nil }
        let isHealed = try healFromObject(digest, pace)
        return Finding(
            .damaged,
            stored.path,
            wrong.reason,
            .mended("moved to \(target)" + (isHealed ? ", and the key has the content of its object now" : "")),
            damage: Damage(digest: digest, quarantine: target, keys: isHealed ? [] : [stored.key])
        )
    }

    /// Gives the keys that lost this content that of the object, when it is right.
    private func healFromObject(_ digest: Digest, _ pace: (Int) -> Void) throws -> Bool {
        let path = StoreLayout.object(digest)
        guard let object = try root.status(of: path) else { return false }
        do {
            guard try wrongContent(path, digest, pace) == nil else { return false }
        } catch let error as StoreError where error.code == .unreadable {
            return false
        }
        return try withSharedLock(of: digest) { () throws(StoreError) in
            // What was read is still the object.
            guard try root.status(of: path)?.identity == object.identity else { return false }
            return healLostKeys(of: digest, try folders.folder(StoreLayout.objectFolder(digest)))
        }
    }

    /// Deletes a key of damaged content, after it was put down for the upload that heals it.
    private func takeAway(
        _ stored: StoredKey,
        ifItIs identity: FileStatus.Identity,
        keepAs target: String? = nil
    ) throws(StoreError) -> Bool {
        try waitingForCounts(of: stored.key.namespace) { () throws(StoreError) in
            try withExclusiveLock(of: stored.key.digest.shard) { () throws(StoreError) in
                guard try root.status(of: stored.path)?.identity == identity else { return false }
                try LostKeys(stored.key.digest, root).add(stored.path)
                try changing(stored.path, of: stored.key.namespace.description) { () throws(StoreError) in
                    if let target {
                        try systemCall("move \(stored.path) to \(target)") {
                            renameat(root.rawValue, stored.path, root.rawValue, target)
                        }
                    } else {
                        try systemCall("unlink \(stored.path)") { unlinkat(root.rawValue, stored.path, 0) }
                    }
                }
                return true
            }
        }
    }
}
