import Glibc

extension UploadFolder {
    /// How long an upload's file may lie here after its last byte was written, in seconds.
    public static let uploadLifetime = 24 * 60 * 60

    /// Removes what crashed uploads left: files unchanged for longer than ``uploadLifetime``.
    ///
    /// - Returns: how many files were removed.
    /// - Throws: ``StoreError``; what was removed before stays removed.
    @discardableResult
    public func sweep() throws(StoreError) -> Int {
        var removed = 0
        for name in try descriptor.names(".") where try descriptor.isLeftover(name) {
            let isRemoved = try systemCall("unlink \(name)", expecting: .noSuchFileOrDirectory) {
                unlinkat(descriptor.rawValue, name, 0)
            }
            // Another worker that starts now may sweep, too.
            if isRemoved == nil { removed += 1 }
        }
        logSwept(removed)
        return removed
    }

    func logSwept(_ files: Int) {
        guard files > 0 else { return }
        logger.notice("leftovers of crashed uploads were removed", metadata: ["files": "\(files)"])
    }
}

extension Descriptor {
    /// Whether a path is a file that no upload is going to need.
    func isLeftover(_ path: String) throws(StoreError) -> Bool {
        guard let status = try status(of: path), status.isRegular else { return false }
        return time(nil) - status.modified > UploadFolder.uploadLifetime
    }
}
