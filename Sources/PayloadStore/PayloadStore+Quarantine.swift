import Glibc
import PayloadKey

/// What is damaged goes to `quarantine/`, and its keys are put down for the upload that heals them.
extension PayloadStore {
    /// Reads the content of a key, and takes it away when it is not right.
    func quarantineIfDamaged(_ stored: StoredKey, _ pace: (Int) -> Void) throws -> Finding? {
        guard let wrong = try wrongContent(stored.path, stored.key.digest, pace) else { return nil }
        return try quarantine(stored, wrong, pace)
    }

    /// Takes an object out of the tree, then its keys: no upload can link to it any more.
    func quarantine(
        object digest: Digest,
        _ wrong: WrongContent
    ) throws -> Finding {
        let path = StoreLayout.object(digest)
        let target = StoreLayout.quarantined(digest, IncomingFile.uniqueName())
        let isMoved = try withExclusiveLock(of: digest.shard) { () throws(StoreError) in
            // An upload may have replaced it.
            guard try root.status(of: path)?.identity == wrong.identity else { return false }
            try systemCall("move \(path) to \(target)") { renameat(root.rawValue, path, root.rawValue, target) }
            // Come back with the power, it would be given to the next key.
            makeDurable(removalOf: path, from: StoreLayout.objectFolder(digest))
            return true
        }
        var keys: [PayloadKey] = []
        // What can't be read, or taken away, is told of when it is read for itself, as a key without object.
        try forEachKey(of: .one(digest), unreadable: { _, _ in }) { stored in
            let isTaken = Result { () throws(StoreError) in try takeAway(stored, ifItIs: wrong.identity) }
            if try isTaken.readable({ _ in }) == true { keys.append(stored.key) }
        }
        var trashed: [PayloadKey] = []
        try forEachTrashedKey(of: .one(digest), unreadable: { _, _ in }) {
            if $0.stored.identity == wrong.identity { trashed.append($0.stored.key) }
        }
        return Finding(
            .damaged,
            path,
            wrong.reason,
            .mended(isMoved ? "moved to \(target)" : "replaced by an upload"),
            damage: Damage(digest: digest, quarantine: isMoved ? target : nil, keys: keys, trashed: trashed)
        )
    }

    /// Takes away a key that has damaged content of its own, and gives it that of its object, where that is right; `nil`
    /// when an upload has replaced it.
    func quarantine(
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
            damage: Damage(digest: digest, quarantine: target, keys: isHealed ? [] : [stored.key], trashed: [])
        )
    }

    /// Gives the keys that lost this content that of the object, when it is right.
    private func healFromObject(_ digest: Digest, _ pace: (Int) -> Void) throws -> Bool {
        guard let object = try verifiedObject(digest, pace) else { return false }
        return try withSharedLock(of: digest) { () throws(StoreError) in
            // What was read is still the object.
            guard try root.status(of: StoreLayout.object(digest))?.identity == object else { return false }
            return healLostKeys(of: digest, try folders.folder(StoreLayout.objectFolder(digest)))
        }
    }

    /// The object of a content, when it is right.
    private func verifiedObject(_ digest: Digest, _ pace: (Int) -> Void) throws -> FileStatus.Identity? {
        do {
            guard let object = try openContent(StoreLayout.object(digest)),
                try wrongContent(object, digest, pace) == nil
            else { return nil }
            return try object.identity()
        } catch let error as StoreError where error.isUnreadable || error.code == .damaged {
            return nil
        }
    }

    /// Gives a key in the trash, whose content is not right, that of its object, when that one is right. Otherwise it stays
    /// as it is: nobody reads it, and an undeletion verifies it.
    func mend(_ trashed: TrashedKey, _ wrong: WrongContent, _ pace: (Int) -> Void) throws -> Finding? {
        let path = trashed.stored.path
        let digest = trashed.stored.key.digest
        guard let object = try verifiedObject(digest, pace) else {
            let damage = Damage(digest: digest, quarantine: nil, keys: [], trashed: [trashed.stored.key])
            return Finding(.damaged, path, wrong.reason, damage: damage)
        }
        let target = StoreLayout.quarantined(digest, IncomingFile.uniqueName())
        let isMended = try withExclusiveLock(of: digest.shard) { () throws(StoreError) in
            guard try root.status(of: path)?.identity == wrong.identity,
                try root.status(of: StoreLayout.object(digest))?.identity == object
            else { return false }
            let temporary = "\(StoreLayout.incoming)/\(IncomingFile.uniqueName())"
            try systemCall("link \(temporary) to \(StoreLayout.object(digest))") {
                linkat(root.rawValue, StoreLayout.object(digest), root.rawValue, temporary, 0)
            }
            // rename(2) leaves it when it fails; what can't be removed is left to the sweep.
            defer { unlinkat(root.rawValue, temporary, 0) }
            try systemCall("link \(target) to \(path)") {
                linkat(root.rawValue, path, root.rawValue, target, 0)
            }
            try systemCall("move \(temporary) to \(path)") {
                renameat(root.rawValue, temporary, root.rawValue, path)
            }
            return true
        }
        // It was given back, purged or deleted anew meanwhile.
        guard isMended else { return nil }
        return Finding(
            .damaged,
            path,
            wrong.reason,
            .mended("moved to \(target), and the trash has the content of its object now"),
            damage: Damage(digest: digest, quarantine: target, keys: [], trashed: [])
        )
    }

    /// Syncs the folders of what was taken away. A disk that fails to is no reason to leave the rest of the damage.
    private func makeDurable(removalOf path: String, from folder: String) {
        do throws(StoreError) {
            try root.synchronizeFolder(StoreLayout.quarantine)
            try root.synchronizeFolder(folder)
        } catch {
            logger.error(
                "damaged content that was taken away may come back with a loss of power",
                metadata: ["file": "\(path)", "error": "\(error)"]
            )
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
                // Come back with the power, nobody would verify it again.
                makeDurable(removalOf: stored.path, from: StoreLayout.keyFolder(stored.key))
                return true
            }
        }
    }
}
