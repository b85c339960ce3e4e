import Storage

extension DiskStore {
    /// Looks at every object; reads no content. Uploads and deletions go on meanwhile.
    ///
    /// - Throws: ``StoreError`` with code `system`.
    public func measureUsage() throws -> StoreUsage {
        // A worker that is idle records the time, too.
        try recordTime()
        var usage = StoreUsage()
        try forEachObject { object in
            usage.objects += 1
            usage.bytes += object.diskUsage
        }
        return usage
    }
}
