import PayloadKey
import Storage

extension DiskStore {
    /// Reads each object once, and moves damaged content to `quarantine/`, while uploads and downloads continue.
    /// Content that can't be read or moved is a finding, and the scrub continues with the rest.
    ///
    /// When a scrub completes, the store records when it started. A scrub that fails or is interrupted is not recorded.
    ///
    /// - Parameters:
    ///   - scope: the content to read. With ``ScrubScope/sinceLast``, a scrub finds everything written since the last
    ///     one, and changes that programs made to files. It finds neither content that the disk has lost or changed by
    ///     itself, nor content written while the system's clock was behind the last scrub: only reading everything
    ///     does.
    ///   - pace: called after each read with its number of bytes; may wait, to limit the rate.
    ///   - report: called with each finding: damaged content, after it is moved, and unreadable content and folders,
    ///     which make the scrub incomplete.
    /// - Returns: the number of files and bytes read.
    /// - Throws: ``StoreError``; content moved before the failure stays in quarantine, and another scrub does the rest.
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
            try report(Finding(.unreadable, path, "cannot be read: \(error)"))
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
            // Damaged content is reported even if reading the shard failed later.
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

    /// The number of bytes that a scrub would read. Reads no content.
    public func contentToScrub(_ scope: ScrubScope) throws -> UInt64 {
        let since = try start(of: scope)
        var bytes: UInt64 = 0
        // The scrub itself reports unreadable files.
        try forEachObject(failed: { _ in }) { if $0.changed >= since { bytes += $0.size } }
        return bytes
    }

    /// The time from which changed content must be read, in microseconds since 1970.
    ///
    /// An object's ctime is the time when it was linked. Objects that existed when the last scrub started, and have not
    /// changed since, were read by it or an earlier one.
    private func start(of scope: ScrubScope) throws -> Int64 {
        switch scope {
        case .everything: .min
        case .sinceLast: try lastScrub()?.started ?? .min
        }
    }

    // MARK: Damage

    /// Reads an object, and quarantines it if it is damaged.
    private func check(
        _ digest: Digest,
        since: Int64,
        _ read: inout Scrubbed,
        _ pace: (Int) -> Void
    ) throws -> DamagedObject? {
        let path = StoreLayout.object(digest)
        // The inspection reports anything that is not a regular file.
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
            // Kept open, so that its inode number is not reused for another file.
            let target = try quarantine(digest, content.identity())
            withExtendedLifetime(content) {}
            let remedy = Finding.Remedy.mended(target.map { "moved to \($0)" } ?? "replaced by an upload")
            return DamagedObject(digest: digest, reason: wrong, remedy: remedy, quarantine: target)
        } catch let error as StoreError where !error.concernsWholeStore {
            return DamagedObject(digest: digest, reason: wrong, remedy: .failed(error), quarantine: nil)
        }
    }

    /// The findings for the damaged content of a shard, with its keys, which one walk finds for all of it.
    private func findings(of damaged: [DamagedObject], _ shard: UInt8) throws -> [Finding] {
        guard !damaged.isEmpty else { return [] }
        let digests = Set(damaged.map(\.digest))
        // The inspection reports folders that can't be read.
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

/// Damaged content and its remedy.
private struct DamagedObject {
    let digest: Digest
    let reason: String
    let remedy: Finding.Remedy
    /// The path in quarantine, if it was moved.
    let quarantine: String?

    var isStillThere: Bool {
        if case .failed = remedy { true } else { false }
    }
}
