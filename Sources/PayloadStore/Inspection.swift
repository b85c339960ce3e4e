import Glibc
import PayloadKey

extension PayloadStore {
    /// Looks through the tree for what a crash or an accident has left, while uploads, downloads and deletions go on:
    /// every kind of ``Finding`` but ``Finding/Kind/damaged`` and ``Finding/Kind/unreadable``, which ``scrub`` finds.
    ///
    /// No content is read, but that of keys whose object is to get its name back.
    ///
    /// What takes part in uploads and deletions is looked at again under its shard's lock before it is reported, so
    /// nothing that is merely under way is; and it is mended under that lock.
    ///
    /// - Parameters:
    ///   - repair: mend what can safely be mended. Files that are not the store's are never touched.
    ///   - pace: called after so many bytes were read; may take its time.
    ///   - report: called with each finding, when it is mended.
    /// - Throws: ``StoreError`` when a folder can't be read, or what `report` throws.
    public func inspect(
        repair: Bool = false,
        pace: (_ bytes: Int) -> Void = { _ in },
        report: (Finding) throws -> Void
    ) throws {
        let owner = try root.status(path).owner
        try withoutActuallyEscaping(pace) { pace in
            try withoutActuallyEscaping(report) { report in
                let inspection = Inspection(store: self, repair: repair, owner: owner, pace: pace, report: report)
                try inspection.upperFolders()
                try inspection.leftovers()
                try inspection.objects()
                try inspection.keys()
                try inspection.quarantine()
            }
        }
    }
}

/// One look through the tree.
private struct Inspection {
    let store: PayloadStore
    let repair: Bool
    let owner: uid_t
    let pace: (Int) -> Void
    let report: (Finding) throws -> Void

    private var root: Descriptor { store.root }

    /// - Parameter mend: mends it, and says how; `nil` when nothing can be done.
    private func found(
        _ kind: Finding.Kind,
        _ path: String,
        _ reason: String,
        mend: (() throws(StoreError) -> String)? = nil
    ) throws {
        try report(Finding(kind, path, reason, remedy(mend)))
    }

    private func remedy(_ mend: (() throws(StoreError) -> String)?) -> Finding.Remedy {
        guard repair, let mend else { return .none }
        do {
            return .mended(try mend())
        } catch {
            return .failed(error)
        }
    }

    private func stray(_ path: String) throws {
        try found(.stray, path, "is not the store's")
    }

    // MARK: The layout

    func upperFolders() throws {
        try attributes(".", .root)
        for folder in StoreLayout.folders { try attributes(folder, .folder) }
        for file in [StoreLayout.description, StoreLayout.scrubRecord] + StoreLayout.shards.map(StoreLayout.lock) {
            try attributes(file, .file)
        }
        for path in try store.strayFiles() { try stray(path) }
    }

    /// Looks at the owner and the permissions of something that may have gone.
    private func attributes(_ path: String, _ permissions: Permissions) throws {
        if let status = try root.status(of: path) { try attributes(path, status, permissions) }
    }

    private func attributes(_ path: String, _ status: FileStatus, _ permissions: Permissions) throws {
        if status.owner != owner {
            try found(.wrongOwner, path, "belongs to user \(status.owner), the store to \(owner)") {
                () throws(StoreError) in
                try root.changeOwner(of: path, to: owner)
                return "belongs to \(owner) now"
            }
        }
        if !permissions.areMet(by: status.mode) {
            let mode = permissions.mended(status.mode)
            try found(.wrongMode, path, "has mode \(status.mode.octal), not \(mode.octal)") { () throws(StoreError) in
                try root.changeMode(of: path, to: mode)
                return "has mode \(mode.octal) now"
            }
        }
    }

    // MARK: Uploads

    func leftovers() throws {
        for path in try store.leftovers() {
            try found(.staleUpload, path, "was left by an upload over a day ago") { () throws(StoreError) in
                _ = try store.removeLeftover(path)
                return "deleted"
            }
        }
    }

    // MARK: Objects

    func objects() throws {
        for shard in StoreLayout.shards {
            let folder = "\(StoreLayout.objects)/\(shard)"
            // The first upload of a shard makes its folder.
            guard let status = try root.status(of: folder) else { continue }
            guard status.isFolder else {
                try stray(folder)
                continue
            }
            try attributes(folder, status, .folder)
            for name in try root.namesIfThere(folder) {
                guard let digest = Digest(hex: name.utf8), digest.shard == shard else {
                    try stray("\(folder)/\(name)")
                    continue
                }
                try object(digest)
            }
        }
    }

    private func object(_ digest: Digest) throws {
        let path = StoreLayout.object(digest)
        guard let status = try root.status(of: path) else { return }
        guard status.isRegular else { return try stray(path) }
        try attributes(path, status, .content)
        guard status.isUnreferencedObject, try store.isWithoutKeys(digest) else { return }
        try found(.objectWithoutKeys, path, "has no key, and takes \(status.diskUsage) bytes of the disk") {
            () throws(StoreError) in
            try store.deleteIfWithoutKeys(digest) ? "deleted" : "an upload has given it a key"
        }
    }

    // MARK: Keys

    func keys() throws {
        let walk = KeyWalk(root: root, digests: .all)
        for name in try root.names(StoreLayout.keys) {
            let path = "\(StoreLayout.keys)/\(name)"
            // What is no folder was told of with the other strays.
            guard try root.status(of: path)?.isFolder == true else { continue }
            guard let namespace = try? Namespace(validating: name.utf8) else {
                try stray(path)
                continue
            }
            try walk.namespace(namespace) { try visit($0) }
        }
    }

    private func visit(_ entry: KeyTreeEntry) throws {
        switch entry {
        case .stray(let path):
            // It may have gone since its folder was read.
            if try root.status(of: path) != nil { try stray(path) }
        case .folder(let path):
            guard let status = try root.status(of: path) else { return }
            guard status.isFolder else { return try stray(path) }
            try attributes(path, status, .folder)
        case .key(let stored, let status):
            let object = try root.status(of: StoreLayout.object(stored.key.digest))
            // One file has one owner and one mode, under all its names.
            guard object?.identity != status.identity else { return }
            try attributes(stored.path, status, .content)
            if object == nil { try keyWithoutObject(stored) }
        }
    }

    private func keyWithoutObject(_ stored: StoredKey) throws {
        guard try store.lacksObject(stored) else { return }
        let reason = "has no object at \(StoreLayout.object(stored.key.digest))"
        do {
            if repair, let damaged = try store.quarantineIfDamaged(stored, pace) { return try report(damaged) }
        } catch let error as StoreError where error.code == .unreadable {
            return try report(Finding(.keyWithoutObject, stored.path, reason, .failed(error)))
        }
        try found(.keyWithoutObject, stored.path, reason) { () throws(StoreError) in
            try store.relink(stored) ? "its content is right, and linked there" : "stored anew or deleted meanwhile"
        }
    }

    // MARK: Quarantine

    func quarantine() throws {
        for name in try root.names(StoreLayout.quarantine) {
            let path = "\(StoreLayout.quarantine)/\(name)"
            let digest = name.utf8.split(separator: UInt8(ascii: "."), maxSplits: 1).first.flatMap { Digest(hex: $0) }
            guard let status = try root.status(of: path) else { continue }
            guard digest != nil, status.isRegular else {
                try stray(path)
                continue
            }
            try attributes(path, status, .quarantined)
        }
    }
}
