import Storage

/// What was counted is known as long as a process is there that has joined the epoch (``UsageEpoch``). Whoever changes a
/// key that is counted joins it; who is there for long does so from its start on, so that the others may come and go.
extension DiskStore {
    /// Joins the epoch, for this object's life, where there is one.
    ///
    /// - Parameter hasQuotas: begin one where there is none.
    /// - Throws: ``StoreError``. The next upload to a namespace that is counted tries again.
    public func keepCounts(hasQuotas: Bool) throws {
        if hasQuotas {
            try makeUsageFolders()
        } else if try root.status(of: StoreLayout.usageEpoch) == nil {
            return
        }
        _ = try epoch.name()
    }

    func makeUsageFolders() throws {
        for folder in StoreLayout.usageFolders { try root.makeFolder(folder) }
    }
}
