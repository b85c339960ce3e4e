import Glibc
import PayloadKey
import Storage
import System

extension DiskStore {
    /// Scans the tree for faults that a crash or an accident left, while uploads, downloads and deletions continue:
    /// every kind of ``Finding`` except ``Finding/Kind/damaged``, which ``scrub`` finds.
    ///
    /// Reads no content. A folder that can't be read is a finding, and the inspection continues with the others.
    ///
    /// - Parameters:
    ///   - repair: repair what can be repaired safely. Files that do not belong to the store are never touched.
    ///   - looksForUnreferencedContent: also find unreferenced content, and delete it if `repair` is set.
    ///   - report: called with each finding, after its repair.
    /// - Throws: ``StoreError``, or what `report` throws; with code `busy`, after everything else was inspected, if
    ///   another process is collecting garbage.
    public func inspect(
        repair: Bool = false,
        looksForUnreferencedContent: Bool = true,
        report: (Finding) throws -> Void
    ) throws {
        let owner = try root.status().owner
        try withoutActuallyEscaping(report) { report in
            let inspection = Inspection(store: self, repair: repair, owner: owner, report: report)
            try inspection.upperFolders()
            try inspection.leftovers()
            try inspection.objects()
            try inspection.namespaces(of: StoreLayout.keys)
            try inspection.quarantine()
            try inspection.trash()
            try inspection.usage()
            if looksForUnreferencedContent { try inspection.unreferencedContent() }
        }
    }
}

/// One scan of the tree.
private struct Inspection {
    let store: DiskStore
    let repair: Bool
    let owner: uid_t
    let report: (Finding) throws -> Void

    var root: Descriptor { store.root }

    // MARK: Findings

    /// - Parameter mend: makes the repair and returns what it did; `nil` if no repair is possible.
    private func found(
        _ kind: Finding.Kind,
        _ path: String,
        _ reason: String,
        mend: (() throws -> String)? = nil
    ) throws {
        var remedy = Finding.Remedy.none
        if repair, let mend { remedy = .mending(by: mend) }
        try report(Finding(kind, path, reason, remedy))
    }

    private func stray(_ path: String) throws {
        // It may have been deleted since its folder was read.
        if try status(path) != nil { try found(.stray, path, "does not belong to the store") }
    }

    private func notUTF8(_ path: String) throws {
        try found(.stray, path, "does not belong to the store, and its name is not UTF-8")
    }

    private func unreadable(_ path: String, _ error: StoreError) throws {
        try found(.unreadable, path, "cannot be read: \(error)")
    }

    // MARK: Checks

    /// The status of a path; reports a path that can't be read, and returns `nil`.
    private func status(_ path: String) throws -> FileStatus? {
        try store.readable(path, unreadable) { try root.status(of: path) }
    }

    /// The names in a folder; empty if it was deleted.
    private func names(_ folder: String) throws -> [String] {
        guard let found = try store.readable(folder, unreadable, { try root.entriesIfThere(folder) }) else { return [] }
        for name in found.notUTF8 { try notUTF8(StoreLayout.path(of: name, in: folder)) }
        return found.names
    }

    /// Checks that a path is a folder or a regular file, with the owner and the permissions of its kind.
    ///
    /// - Returns: whether it exists; anything of another type is a stray.
    @discardableResult
    private func expect(_ path: String, _ permissions: Permissions) throws -> Bool {
        guard let status = try status(path) else { return false }
        guard permissions.isFolder ? status.isFolder : status.isRegular else {
            try stray(path)
            return false
        }
        if status.owner != owner {
            try found(.wrongOwner, path, "belongs to user \(status.owner), the store to \(owner)") {
                try root.changeOwner(of: path, to: owner)
                return "now belongs to \(owner)"
            }
        }
        let mode = permissions.mended(status.mode)
        if mode != status.mode {
            try found(.wrongMode, path, "has mode \(status.mode.octal), not \(mode.octal)") {
                try root.changeMode(of: path, to: mode)
                return "now has mode \(mode.octal)"
            }
        }
        return true
    }

    /// Checks the files in a folder that contains nothing else.
    private func files(of folder: String, _ permissions: Permissions, named isName: (String) -> Bool) throws {
        for name in try names(folder) {
            let path = "\(folder)/\(name)"
            if isName(name) { try expect(path, permissions) } else { try stray(path) }
        }
    }

    // MARK: The layout

    func upperFolders() throws {
        try expect(".", .root)
        for folder in StoreLayout.folders { try expect(folder, .folder) }
        for file in StoreLayout.files + StoreLayout.lockFiles { try expect(file, .file) }
        // Strays in keys/ are found with its namespaces.
        for folder in StoreLayout.upperFolders where folder != StoreLayout.keys {
            for name in try names(folder).sorted() {
                let path = StoreLayout.path(of: name, in: folder)
                let isStray = try store.readable(path, unreadable) { try store.isStray(name, in: folder) }
                if isStray == true { try stray(path) }
            }
        }
    }

    func leftovers() throws {
        for path in try store.readable(StoreLayout.incoming, unreadable, store.leftovers) ?? [] {
            try found(.staleUpload, path, "was left by an upload over a day ago") {
                try root.unlink(path)
                return "deleted"
            }
        }
    }

    // MARK: Content

    func objects() throws {
        for shard in UInt8.min...UInt8.max {
            let folder = StoreLayout.objectFolder(shard)
            // The first upload to a shard creates its folder.
            guard try expect(folder, .folder) else { continue }
            try files(of: folder, .content) { Digest(hex: $0.utf8)?.firstByte == shard }
        }
    }

    func quarantine() throws {
        try files(of: StoreLayout.quarantine, .quarantined) { name in
            name.utf8.split(separator: UInt8(ascii: "."), maxSplits: 1).first.flatMap { Digest(hex: $0) } != nil
        }
    }

    func unreferencedContent() throws {
        do {
            try store.collector().sweep(
                isDryRun: !repair,
                maximumShare: repair ? 50 : 100,
                failed: { try unreadable(StoreLayout.objects, $0) },
                found: { path, bytes in
                    let reason = "is unreferenced, and uses \(bytes) bytes on disk"
                    try found(.unreferencedContent, path, reason) { "deleted" }
                }
            )
        } catch let error as StoreError where error.isUnreadable {
            // The folder of keys was reported already; content that its keys may name must not be taken for
            // unreferenced.
        }
    }

    // MARK: Keys

    /// Inspects the namespaces of a tree.
    ///
    /// - Parameter tree: `keys/`, or a folder of the trash.
    func namespaces(of tree: String) throws {
        for name in try names(tree) {
            let path = "\(tree)/\(name)"
            // It may have been deleted since its folder was read; one that an upload then creates is no stray.
            guard let status = try status(path) else { continue }
            if status.isFolder, let namespace = try? Namespace(validating: name.utf8) {
                try store.walk(namespace, in: tree, look)
            } else if tree != StoreLayout.keys || !StoreLayout.isNameProbe(name) {
                try stray(path)
            }
        }
    }

    private func look(at entry: KeyTreeEntry) throws {
        switch entry {
        case .folder(let path): try expect(path, .folder)
        case .end: break
        case .stray(let path): try stray(path)
        case .notUTF8(let path): try notUTF8(path)
        case .unreadable(let path, let error): try unreadable(path, error)
        case .key(let key, let path):
            // An object is created before its key and deleted after it: a key that still exists has lost its content.
            let object = StoreLayout.object(key.digest)
            guard try expect(path, .content),
                try store.readable(object, unreadable, { try root.status(of: object) == nil }) == true,
                try status(path) != nil
            else { return }
            try found(.keyWithoutContent, path, "has lost its content: upload the payload again, or delete the key")
        }
    }

    // MARK: Folders created on demand

    func trash() throws {
        try onDemand(StoreLayout.trash) { name, tree in
            guard StoreLayout.timeInTrash(name) != nil else { return try stray(tree) }
            if try expect(tree, .folder) { try namespaces(of: tree) }
        }
    }

    func usage() throws {
        try onDemand(StoreLayout.usage) { _, path in
            if path == StoreLayout.usageEpoch {
                try expect(path, .file)
            } else if !StoreLayout.usageFolders.contains(path) {
                try stray(path)
            } else if try expect(path, .folder) {
                try files(of: path, .file) { name in
                    path == StoreLayout.lostContents
                        ? Digest(hex: name.utf8) != nil : (try? Namespace(validating: name.utf8)) != nil
                }
            }
        }
    }

    private func onDemand(_ folder: String, _ visit: (_ name: String, _ path: String) throws -> Void) throws {
        // Anything that is not a folder was reported with the other strays.
        guard try status(folder)?.isFolder == true, try expect(folder, .folder) else { return }
        for name in try names(folder) { try visit(name, "\(folder)/\(name)") }
    }
}

extension Finding.Remedy {
    /// - Parameter mend: makes the repair and returns what it did.
    static func mending(by mend: () throws -> String) -> Self {
        do {
            return .mended(try mend())
        } catch {
            return .failed(error)
        }
    }
}
