import Glibc
import PayloadKey
import Storage
import System

extension DiskStore {
    /// Looks through the tree for what a crash or an accident has left, while uploads, downloads and deletions go on:
    /// every kind of ``Finding`` but ``Finding/Kind/damaged``, which ``scrub`` finds.
    ///
    /// No content is read. A folder that can't be read is a finding, and the others are looked through all the same.
    ///
    /// - Parameters:
    ///   - repair: repair what can be repaired safely. Files that are not the store's are never touched.
    ///   - looksForUnreferencedContent: also look for, and delete, content that no key names.
    ///   - report: called with each finding, when it is repaired.
    /// - Throws: ``StoreError``, or what `report` throws; with code `busy` when garbage is being collected, after all else
    ///   was looked at.
    public func inspect(
        repair: Bool = false,
        looksForUnreferencedContent: Bool = true,
        report: (Finding) throws -> Void
    ) throws {
        let owner = try root.status(path).owner
        try withoutActuallyEscaping(report) { report in
            let inspection = Inspection(store: self, repair: repair, owner: owner, report: report)
            try inspection.upperFolders()
            try inspection.leftovers()
            try inspection.objects()
            try inspection.keys()
            try inspection.quarantine()
            try inspection.trash()
            try inspection.usage()
            if looksForUnreferencedContent { try inspection.unreferencedContent() }
        }
    }
}

/// One look through the tree.
struct Inspection {
    let store: DiskStore
    let repair: Bool
    let owner: uid_t
    let report: (Finding) throws -> Void

    var root: Descriptor { store.root }

    // MARK: Findings

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

    func stray(_ path: String) throws {
        try found(.stray, path, "is not the store's")
    }

    private func notUTF8(_ path: String) throws {
        try found(.stray, path, "is not the store's, and its name is not UTF-8")
    }

    private func unreadable(_ path: String, _ error: StoreError) throws {
        try found(.unreadable, path, "can't be read: \(error)")
    }

    // MARK: Looking

    /// Looks at something; what does not let itself be looked at is a finding, and `nil`.
    private func look<Found>(at path: String, _ look: () throws(StoreError) -> Found) throws -> Found? {
        try Result(catching: look).readable { try unreadable(path, $0) }
    }

    func status(_ path: String) throws -> FileStatus? {
        try look(at: path) { () throws(StoreError) in try root.status(of: path) } ?? nil
    }

    /// The names in a folder that may have gone.
    func names(_ folder: String) throws -> [String] {
        let found = try look(at: folder) { () throws(StoreError) in try root.entriesIfThere(folder) }
        guard let found else { return [] }
        for name in found.notUTF8 { try notUTF8(folder == "." ? name : "\(folder)/\(name)") }
        return found.names
    }

    // MARK: The layout

    func upperFolders() throws {
        try attributes(".", .root)
        for folder in StoreLayout.folders { try attributes(folder, .folder) }
        for file in [StoreLayout.description, StoreLayout.clock, StoreLayout.scrubRecord] + StoreLayout.lockFiles {
            try attributes(file, .file)
        }
        for folder in DiskStore.upperFolders {
            let found = try look(at: folder) { () throws(StoreError) in try store.strayFiles(in: folder) }
            for path in found?.paths ?? [] { try stray(path) }
            for path in found?.notUTF8 ?? [] { try notUTF8(path) }
        }
    }

    /// Looks at the owner and the permissions of something that may have gone.
    private func attributes(_ path: String, _ permissions: Permissions) throws {
        if let status = try status(path) { try attributes(path, status, permissions) }
    }

    func attributes(_ path: String, _ status: FileStatus, _ permissions: Permissions) throws {
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
        for path in try look(at: StoreLayout.incoming, store.leftovers) ?? [] {
            try found(.staleUpload, path, "was left by an upload over a day ago") { () throws(StoreError) in
                try root.unlink(path)
                return "deleted"
            }
        }
    }

    // MARK: Content

    func objects() throws {
        for shard in UInt8.min...UInt8.max {
            let folder = StoreLayout.objectFolder(shard)
            // The first upload of a shard makes its folder.
            guard let status = try status(folder) else { continue }
            guard status.isFolder else {
                try stray(folder)
                continue
            }
            try attributes(folder, status, .folder)
            for name in try names(folder) {
                let path = "\(folder)/\(name)"
                guard Digest(hex: name.utf8)?.firstByte == shard else {
                    try stray(path)
                    continue
                }
                guard let status = try self.status(path) else { continue }
                guard status.isRegular else {
                    try stray(path)
                    continue
                }
                try attributes(path, status, .content)
            }
        }
    }

    func unreferencedContent() throws {
        do {
            try store.collector().sweep(
                isDryRun: !repair,
                maximumShare: repair ? 50 : 100,
                failed: { try unreadable(StoreLayout.objects, $0) }
            ) { path, bytes in
                try found(.unreferencedContent, path, "is named by no key, and takes \(bytes) bytes of the disk") {
                    () throws(StoreError) in "deleted"
                }
            }
        } catch let error as StoreError where error.isUnreadable {
            // A folder of keys, which was reported: content that is named there must not be taken for unreferenced.
        }
    }

    // MARK: Keys

    func keys() throws {
        // What is no folder, or can't be read, was reported with the other strays.
        let names = Result { () throws(StoreError) in try root.names(StoreLayout.keys) }
        for name in try names.readable({ _ in }) ?? [] { try namespace(name, in: StoreLayout.keys) }
    }

    /// Looks through a namespace's folder, when it is one.
    ///
    /// - Parameter tree: `keys/`, or a folder of the trash.
    /// - Returns: whether it is a folder.
    @discardableResult
    func namespace(_ name: String, in tree: String) throws -> Bool {
        let path = "\(tree)/\(name)"
        guard try status(path)?.isFolder == true else { return false }
        if let namespace = try? Namespace(validating: name.utf8) {
            try KeyWalk(root: root).namespace(namespace, in: tree, shards: { _ in true }, visit)
        } else {
            try stray(path)
        }
        return true
    }

    private func visit(_ entry: KeyTreeEntry) throws {
        switch entry {
        case .stray(let path):
            // It may have gone since its folder was read.
            if try status(path) != nil { try stray(path) }
        case .notUTF8(let path):
            try notUTF8(path)
        case .unreadable(let path, let error):
            try unreadable(path, error)
        case .folder(let path):
            guard let status = try status(path) else { return }
            guard status.isFolder else { return try stray(path) }
            try attributes(path, status, .folder)
        case .key(let key, let path):
            guard let status = try status(path) else { return }
            guard status.isRegular else { return try stray(path) }
            try attributes(path, status, .content)
            // The object comes before its key, and goes after it: a key that is still there has lost its content.
            guard try self.status(StoreLayout.object(key.digest)) == nil, try self.status(path) != nil else { return }
            try found(.keyWithoutContent, path, "has lost its content: upload the payload again, or delete the key")
        }
    }

    // MARK: Quarantine

    func quarantine() throws {
        for name in try names(StoreLayout.quarantine) {
            let path = "\(StoreLayout.quarantine)/\(name)"
            let digest = name.utf8.split(separator: UInt8(ascii: "."), maxSplits: 1).first.flatMap { Digest(hex: $0) }
            guard let status = try status(path) else { continue }
            guard digest != nil, status.isRegular else {
                try stray(path)
                continue
            }
            try attributes(path, status, .quarantined)
        }
    }
}
