import Storage

extension DiskStore {
    /// Measures the size of all objects from their attributes, while uploads and deletions continue; reads no content.
    ///
    /// - Throws: ``StoreError`` with code `system`.
    public func measureUsage() throws -> StoreUsage {
        // Idle workers record the time, too.
        try recordTime()
        var usage = StoreUsage()
        try forEachObject { object in
            usage.objects += 1
            usage.bytes += object.diskUsage
        }
        return usage
    }
}
