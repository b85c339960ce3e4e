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
        var removed = try sweep(StoreLayout.incoming) { _ in true }
        for folder in [StoreLayout.objects, StoreLayout.keys] {
            removed += try sweep(folder) { $0.hasPrefix(StoreLayout.probePrefix) }
        }
        if removed > 0 {
            logger.notice("leftovers of crashed uploads were removed", metadata: ["files": "\(removed)"])
        }
        return removed
    }

    private func sweep(_ folder: String, _ isLeftover: (_ name: String) -> Bool) throws(StoreError) -> Int {
        let now = time(nil)
        var removed = 0
        for path in try root.names(folder).filter(isLeftover).map({ "\(folder)/\($0)" }) {
            guard let status = try root.status(of: path), status.isRegular,
                now - status.modified > Self.uploadLifetime
            else { continue }
            // Another worker that starts now may sweep, too.
            let gone = try systemCall("unlink \(path)", expecting: .noSuchFileOrDirectory) {
                unlinkat(root.rawValue, path, 0)
            }
            if gone == nil { removed += 1 }
        }
        return removed
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
            StoreLayout.folders + StoreLayout.foldersOnDemand + [StoreLayout.description, StoreLayout.lostAndFound]
        )
        var stray = try root.names(".").filter { !expected.contains($0) }
        let shards = Set(StoreLayout.shards)
        for folder in [StoreLayout.objects, StoreLayout.locks] {
            stray += try root.names(folder).filter { !shards.contains($0) }.map { "\(folder)/\($0)" }
        }
        for path in try root.names(StoreLayout.incoming).map({ "\(StoreLayout.incoming)/\($0)" })
        where try root.status(of: path)?.isRegular == false {
            stray.append(path)
        }
        for path in try root.names(StoreLayout.keys).map({ "\(StoreLayout.keys)/\($0)" })
        where try root.status(of: path)?.isFolder == false {
            stray.append(path)
        }
        return stray.sorted()
    }
}
