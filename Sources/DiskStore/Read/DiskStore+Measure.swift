import Storage

/// What a store has on disk.
public struct StoreUsage: Equatable, Sendable {
    /// Different contents.
    public var objects: UInt64 = 0
    /// Bytes that they take on disk (stat(2): `st_blocks`).
    public var bytes: UInt64 = 0
}

extension DiskStore {
    /// Looks at every object; reads no content. Uploads and deletions go on meanwhile.
    ///
    /// - Throws: ``StoreError`` with code `system`.
    public func measureUsage() throws(StoreError) -> StoreUsage {
        var usage = StoreUsage()
        try forEachObject { object in
            usage.objects += 1
            usage.bytes += object.diskUsage
        }
        return usage
    }
}
