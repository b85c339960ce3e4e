import Glibc
import SystemPackage

extension PayloadStore {
    /// How long an upload's file may lie in `incoming/` after its last byte was written, in seconds.
    public static let uploadLifetime = 24 * 60 * 60

    /// Removes what crashed uploads left in `incoming/`: files unchanged for longer than ``uploadLifetime``.
    ///
    /// - Returns: how many files were removed.
    /// - Throws: ``StoreError``; what was removed before stays removed.
    @discardableResult
    public func sweepIncoming() throws(StoreError) -> Int {
        var removed = 0
        for path in try leftovers() where try removeLeftover(path) { removed += 1 }
        if removed > 0 {
            logger.notice("leftovers of crashed uploads were removed", metadata: ["files": "\(removed)"])
        }
        return removed
    }

    /// What crashes have left of uploads, and of starts that tried whether uploads can be linked.
    func leftovers() throws(StoreError) -> [String] {
        var found = try root.names(StoreLayout.incoming).map { "\(StoreLayout.incoming)/\($0)" }
        for folder in [StoreLayout.objects, StoreLayout.keys] {
            found += try root.names(folder).filter(StoreLayout.isProbe).map { "\(folder)/\($0)" }
        }
        let now = time(nil)
        var old: [String] = []
        for path in found {
            guard let status = try root.status(of: path), status.isRegular,
                now - status.modified > Self.uploadLifetime
            else { continue }
            old.append(path)
        }
        return old
    }

    /// - Returns: whether it was this call that removed it; another worker that starts now may sweep, too.
    func removeLeftover(_ path: String) throws(StoreError) -> Bool {
        try systemCall("unlink \(path)", expecting: .noSuchFileOrDirectory) { unlinkat(root.rawValue, path, 0) } == nil
    }

    /// Tells the log of files that do not belong in the store's upper folders; they are never touched. Looks at the
    /// root, `objects/`, `keys/`, `locks/` and `incoming/` only, so its cost does not grow with the payloads.
    public func reportStrayFiles() throws(StoreError) {
        for path in try strayFiles() {
            logger.warning("a file that is not the store's lies in it and is ignored", metadata: ["file": "\(path)"])
        }
    }

    func strayFiles() throws(StoreError) -> [String] {
        let expected = Set(
            StoreLayout.folders + StoreLayout.foldersOnDemand
                + [StoreLayout.description, StoreLayout.scrubRecord, StoreLayout.lostAndFound]
        )
        var stray = try root.names(".").filter { !expected.contains($0) }
        for folder in [StoreLayout.objects, StoreLayout.locks] {
            stray += try root.names(folder).filter { !StoreLayout.isShard($0) && !StoreLayout.isProbe($0) }
                .map { "\(folder)/\($0)" }
        }
        for path in try root.names(StoreLayout.incoming).map({ "\(StoreLayout.incoming)/\($0)" })
        where try root.status(of: path)?.isRegular == false {
            stray.append(path)
        }
        for name in try root.names(StoreLayout.keys) where !StoreLayout.isProbe(name) {
            let path = "\(StoreLayout.keys)/\(name)"
            if try root.status(of: path)?.isFolder == false { stray.append(path) }
        }
        return stray.sorted()
    }
}
