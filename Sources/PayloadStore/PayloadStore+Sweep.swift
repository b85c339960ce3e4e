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
        let now = time(nil)
        var removed = 0
        for name in try incoming.names(".") {
            guard let status = try incoming.status(of: name), status.isRegular,
                now - status.modified > Self.uploadLifetime
            else { continue }
            // Another worker that starts now may sweep, too.
            let gone = try systemCall("unlink \(StoreLayout.incoming)/\(name)", expecting: .noSuchFileOrDirectory) {
                unlinkat(incoming.rawValue, name, 0)
            }
            if gone == nil { removed += 1 }
        }
        if removed > 0 {
            logger.notice("leftovers of crashed uploads were removed", metadata: ["files": "\(removed)"])
        }
        return removed
    }

    /// Tells the log of files that do not belong in the store's upper folders; they are never touched. Looks at the root,
    /// `objects/`, `locks/` and `incoming/` only, so it costs the same with any number of payloads.
    public func reportStrayFiles() throws(StoreError) {
        for path in try strayFiles() {
            logger.warning("a file that is not the store's lies in it and is ignored", metadata: ["file": "\(path)"])
        }
    }

    func strayFiles() throws(StoreError) -> [String] {
        let expected = Set(StoreLayout.folders + [StoreLayout.description])
        var stray = try root.names(".").filter { !expected.contains($0) }
        let shards = Set(StoreLayout.shards)
        for folder in [StoreLayout.objects, StoreLayout.locks] {
            stray += try root.names(folder).filter { !shards.contains($0) }.map { "\(folder)/\($0)" }
        }
        for name in try incoming.names(".") where try incoming.status(of: name)?.isRegular == false {
            stray.append("\(StoreLayout.incoming)/\(name)")
        }
        return stray.sorted()
    }
}
