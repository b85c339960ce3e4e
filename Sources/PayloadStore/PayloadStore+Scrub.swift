import Glibc
import PayloadKey
import SystemPackage

/// Content that is not what was stored, and what a scrub did about it.
public struct Damage: Sendable {
    /// The digest that the content should have.
    public let digest: Digest
    /// The file that was looked at, relative to the store's root.
    public let path: String
    /// What is wrong with it.
    public let reason: String
    /// Where it was moved, relative to the store's root; `nil` when an upload had replaced it by then.
    public let quarantine: String?
    /// The keys that lost it. They answer as never stored, until an upload of the same payload heals them all.
    public let keys: [PayloadKey]
}

/// A file whose content is not right: which one, and why.
private struct Finding {
    let identity: FileStatus.Identity
    let reason: String
}

extension PayloadStore {
    /// Reads all content and moves what is damaged to `quarantine/`, while uploads and downloads go on.
    ///
    /// Every object is read, and every key that is not a link to its object (docs/on-disk-format.md tells when).
    ///
    /// - Parameters:
    ///   - pace: called after so many bytes were read; may take its time.
    ///   - report: called with each damage, when its keys are gone.
    /// - Returns: how many files were read, and how many bytes.
    /// - Throws: ``StoreError``; what was moved is safe, and another scrub does the rest.
    public func scrub(
        pace: (_ bytes: Int) -> Void = { _ in },
        report: (Damage) throws -> Void
    ) throws -> (files: Int, bytes: UInt64) {
        var files = 0
        var bytes: UInt64 = 0
        func check(_ path: String, _ digest: Digest) throws -> Finding? {
            files += 1
            return try damage(path, digest) { count in
                bytes += UInt64(count)
                pace(count)
            }
        }
        for shard in StoreLayout.shards {
            for name in try root.namesIfThere("\(StoreLayout.objects)/\(shard)") {
                guard let digest = Digest(hex: name.utf8), digest.shard == shard,
                    let finding = try check(StoreLayout.object(digest), digest)
                else { continue }
                try report(try quarantine(object: digest, finding))
            }
        }
        try forEachKey { stored in
            guard try !isLinkToObject(stored), let finding = try check(stored.path, stored.key.digest) else { return }
            if let damage = try quarantine(stored, finding) { try report(damage) }
        }
        return (files, bytes)
    }

    private func isLinkToObject(_ stored: StoredKey) throws(StoreError) -> Bool {
        guard let object = try root.status(of: StoreLayout.object(stored.key.digest)),
            let key = try root.status(of: stored.path)
        else { return false }
        return object.identity == key.identity
    }

    /// What is wrong with a file, and which file it is; `nil` when its content is right, or it is gone.
    private func damage(
        _ path: String,
        _ digest: Digest,
        _ pace: (Int) -> Void
    ) throws -> Finding? {
        guard let file = try openIfThere(path) else { return nil }
        let status = try file.status(path)
        guard status.isRegular else { throw StoreError(.damaged, "\(path) is not a regular file") }
        let content = FileContent(size: status.size, name: path, descriptor: file)
        var hasher = DigestHasher()
        do {
            try content.read(0..<content.size) { piece in
                hasher.update(piece)
                pace(piece.count)
            }
        } catch let error as StoreError where error.errno == .ioError {
            return Finding(identity: status.identity, reason: "\(error)")
        }
        let actual = hasher.finalize()
        guard actual != digest else { return nil }
        return Finding(identity: status.identity, reason: "its \(status.size) bytes have digest \(actual)")
    }

    private func openIfThere(_ path: String) throws(StoreError) -> Descriptor? {
        do {
            return try root.open(path, O_RDONLY | O_NONBLOCK)
        } catch let error where error.errno == .noSuchFileOrDirectory {
            return nil
        }
    }

    /// Takes an object out of the tree, then its keys: no upload can link to it any more.
    private func quarantine(
        object digest: Digest,
        _ finding: Finding
    ) throws -> Damage {
        let path = StoreLayout.object(digest)
        let target = StoreLayout.quarantined(digest, IncomingFile.uniqueName())
        let isMoved = try withExclusiveLock(of: digest.shard) { () throws(StoreError) in
            // An upload may have replaced it.
            guard try root.status(of: path)?.identity == finding.identity else { return false }
            try systemCall("move \(path) to \(target)") { renameat(root.rawValue, path, root.rawValue, target) }
            return true
        }
        var keys: [PayloadKey] = []
        try forEachKey(in: KeySelection(), of: digest) { stored in
            if try takeAway(stored, ifItIs: finding.identity) { keys.append(stored.key) }
        }
        return Damage(
            digest: digest,
            path: path,
            reason: finding.reason,
            quarantine: isMoved ? target : nil,
            keys: keys
        )
    }

    /// Takes away a key that has damaged content of its own; `nil` when an upload has replaced it.
    private func quarantine(
        _ stored: StoredKey,
        _ finding: Finding
    ) throws(StoreError) -> Damage? {
        let target = StoreLayout.quarantined(stored.key.digest, IncomingFile.uniqueName())
        guard try takeAway(stored, ifItIs: finding.identity, keepAs: target) else { return nil }
        return Damage(
            digest: stored.key.digest,
            path: stored.path,
            reason: finding.reason,
            quarantine: target,
            keys: [stored.key]
        )
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
