import PayloadKey
import Storage

extension DiskStore {
    /// Reads all content, each object once, and moves what is damaged to `quarantine/`, while uploads and downloads go on.
    /// What can't be read or moved is a finding, and the rest is read all the same.
    ///
    /// When it has come to its end, the store remembers when it began; a scrub that was interrupted or failed counts for
    /// nothing.
    ///
    /// - Parameters:
    ///   - scope: what to read. A scrub since the last one sees all that was written since, and what a program did to a
    ///     file; it can't see content that the disk has lost or changed by itself, for which only reading everything will
    ///     do, nor what was written while the system's clock was set back behind the last scrub.
    ///   - pace: called after so many bytes were read; may take its time.
    ///   - report: called with each finding: damaged content, when it is moved, and content and folders that can't be read,
    ///     which make a scrub incomplete.
    /// - Returns: what was read.
    /// - Throws: ``StoreError``; what was moved is safe, and another scrub does the rest.
    public func scrub(
        _ scope: ScrubScope = .everything,
        pace: (_ bytes: Int) -> Void = { _ in },
        report: (Finding) throws -> Void
    ) throws -> Scrubbed {
        let started = try fileSystemTime()
        let since = try start(of: scope)
        var read = Scrubbed()
        var isComplete = true
        func unreadable(_ path: String, _ error: StoreError) throws {
            isComplete = false
            try report(Finding(.unreadable, path, "can't be read: \(error)"))
        }
        for shard in UInt8.min...UInt8.max {
            var damaged: [DamagedObject] = []
            let folder = StoreLayout.objectFolder(shard)
            let reading = Result {
                for name in try readable(folder, unreadable, { try root.namesIfThere(folder) }) ?? [] {
                    guard let digest = Digest(hex: name.utf8), digest.firstByte == shard else { continue }
                    let found = try readable("\(folder)/\(name)", unreadable) {
                        try check(digest, since: since, &read, pace)
                    }
                    if let found { damaged.append(found) }
                }
            }
            // What was moved is told all the same.
            for finding in try findings(of: damaged, shard) { try report(finding) }
            try reading.get()
            if damaged.contains(where: \.isStillThere) { isComplete = false }
        }
        if isComplete { try recordIfThereIsRoom(started: started, isFull: since == .min) }
        return read
    }

    private func recordIfThereIsRoom(started: Int64, isFull: Bool) throws {
        do {
            try recordScrub(started: started, isFull: isFull)
        } catch let error as StoreError where error.code == .noSpace {
            logger.warning("no space to record the scrub", metadata: ["error": "\(error)"])
        }
    }

    /// How many bytes a scrub is going to read; nothing is read for that.
    public func contentToScrub(_ scope: ScrubScope) throws -> UInt64 {
        let since = try start(of: scope)
        var bytes: UInt64 = 0
        // The scrub reports what can't be read.
        try forEachObject(failed: { _ in }) { if $0.changed >= since { bytes += $0.size } }
        return bytes
    }

    /// From when on what has changed must be read, in microseconds since 1970.
    ///
    /// An object's ctime is when it was linked: what was there when the last scrub began, and has not changed since, was
    /// read by it, or by one before.
    private func start(of scope: ScrubScope) throws -> Int64 {
        switch scope {
        case .everything: .min
        case .sinceLast: try lastScrub()?.started ?? .min
        }
    }

    // MARK: Damage

    /// Reads an object; what is damaged is moved.
    private func check(
        _ digest: Digest,
        since: Int64,
        _ read: inout Scrubbed,
        _ pace: (Int) -> Void
    ) throws -> DamagedObject? {
        let path = StoreLayout.object(digest)
        // What is no file is reported with the other strays.
        guard let status = try regularFile(path), status.changed >= since,
            let content = try FileContent(path, below: root)
        else { return nil }
        read.files += 1
        let wrong = try wrongContent(content, digest) { count in
            read.bytes += UInt64(count)
            pace(count)
        }
        guard let wrong else { return nil }
        do {
            // Open until then, so that its identity is not given to another file.
            let target = try quarantine(digest, content.identity())
            withExtendedLifetime(content) {}
            let remedy = Finding.Remedy.mended(target.map { "moved to \($0)" } ?? "replaced by an upload")
            return DamagedObject(digest: digest, reason: wrong, remedy: remedy, quarantine: target)
        } catch let error as StoreError where !error.concernsWholeStore {
            return DamagedObject(digest: digest, reason: wrong, remedy: .failed(error), quarantine: nil)
        }
    }

    /// What was damaged in a shard, with the keys that name it, which one walk finds for all of it.
    private func findings(of damaged: [DamagedObject], _ shard: UInt8) throws -> [Finding] {
        guard !damaged.isEmpty else { return [] }
        let digests = Set(damaged.map(\.digest))
        // A folder that can't be read is reported by the look through the layout.
        func keys(in trees: [String]) throws -> [Digest: [PayloadKey]] {
            var keys: [Digest: [PayloadKey]] = [:]
            for tree in trees {
                try forEachKey(below: tree, shards: { $0 == shard }, unreadable: { _, _ in }) { key, _ in
                    if digests.contains(key.digest) { keys[key.digest, default: []].append(key) }
                }
            }
            return keys
        }
        let named = try keys(in: [StoreLayout.keys])
        let times = try readable(StoreLayout.trash, { _, _ in }, timesInTrash) ?? []
        let trashed = try keys(in: times.map(StoreLayout.trash(deletedAt:)))
        return damaged.map { object in
            let damage = Damage(
                digest: object.digest,
                quarantine: object.quarantine,
                keys: named[object.digest] ?? [],
                trashed: trashed[object.digest] ?? []
            )
            let path = StoreLayout.object(object.digest)
            return Finding(.damaged, path, object.reason, object.remedy, damage: damage)
        }
    }
}

/// Damaged content, and what was done with it.
private struct DamagedObject {
    let digest: Digest
    let reason: String
    let remedy: Finding.Remedy
    /// Where it was moved.
    let quarantine: String?

    var isStillThere: Bool {
        if case .failed = remedy { true } else { false }
    }
}
