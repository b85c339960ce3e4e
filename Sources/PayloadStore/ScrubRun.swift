import PayloadKey

/// One reading of the content: what can't be read or moved is a finding, and the rest is read all the same.
final class ScrubRun {
    let store: PayloadStore
    /// Content that has not changed since is not read, in microseconds since 1970.
    let since: Int64
    let pace: (Int) -> Void
    let report: (Finding) throws -> Void

    /// How many files were read.
    private(set) var files = 0
    /// How many bytes were read.
    private(set) var bytes: UInt64 = 0
    /// Whether nothing was left out.
    private(set) var isComplete = true
    /// Damaged files that were told of with their object, and that the trash still has.
    private var told: Set<FileStatus.Identity> = []

    init(
        store: PayloadStore,
        since: Int64,
        pace: @escaping (Int) -> Void,
        report: @escaping (Finding) throws -> Void
    ) {
        self.store = store
        self.since = since
        self.pace = pace
        self.report = report
    }

    func objects() throws {
        for shard in StoreLayout.shards {
            let folder = "\(StoreLayout.objects)/\(shard)"
            let names = Result { () throws(StoreError) in try store.root.namesIfThere(folder) }
            for name in try names.readable({ try unreadable(folder, $0) }) ?? [] {
                guard let digest = Digest(hex: name.utf8), digest.shard == shard else { continue }
                let path = StoreLayout.object(digest)
                guard let wrong = try check(path, digest) else { continue }
                try handle(path, wrong) { try store.quarantine(object: digest, wrong) }
                told.insert(wrong.identity)
            }
        }
    }

    func keys() throws {
        try store.forEachKey(unreadable: unreadable) { stored in
            guard let wrong = try check(unlessObject: stored) else { return }
            try handle(stored.path, wrong) { try store.quarantine(stored, wrong, pace) }
        }
    }

    func trash() throws {
        try store.forEachTrashedKey(unreadable: unreadable) { trashed in
            let stored = trashed.stored
            guard stored.identity.map(told.contains) != true, let wrong = try check(unlessObject: stored) else {
                return
            }
            try handle(stored.path, wrong) { try store.mend(trashed, wrong, pace) }
        }
    }

    /// What is wrong with a key's own file; `nil` when it is that of its object, which was read before.
    private func check(unlessObject stored: StoredKey) throws -> WrongContent? {
        let path = StoreLayout.object(stored.key.digest)
        let object = Result { () throws(StoreError) in try store.root.status(of: path) }
        // Where the object can't be looked at, its key is read: the payload matters.
        if try object.readable({ _ in })??.identity == stored.identity { return nil }
        return try check(stored.path, stored.key.digest)
    }

    private func check(_ path: String, _ digest: Digest) throws -> WrongContent? {
        do {
            if since > .min, let status = try store.root.status(of: path), status.changed < since { return nil }
            return try store.wrongContent(path, digest) { count in
                bytes += UInt64(count)
                pace(count)
            } opened: {
                files += 1
            }
        } catch let error as StoreError where error.isUnreadable {
            try unreadable(path, error)
            return nil
        }
    }

    private func unreadable(_ path: String, _ error: StoreError) throws {
        isComplete = false
        try report(Finding(.unreadable, path, "can't be read: \(error)"))
    }

    /// - Parameter work: takes care of damaged content, and tells what it did.
    private func handle(_ path: String, _ wrong: WrongContent, _ work: () throws -> Finding?) throws {
        var finding: Finding?
        do {
            finding = try work()
        } catch let error as StoreError where !error.concernsWholeStore {
            isComplete = false
            finding = Finding(.damaged, path, wrong.reason, .failed(error))
        }
        if let finding { try report(finding) }
    }
}
