import Glibc

/// What a store has on disk.
public struct StoreUsage: Equatable, Sendable {
    /// Different contents.
    public var objects: UInt64 = 0
    /// Bytes that they take on disk (stat(2): `st_blocks`).
    public var bytes: UInt64 = 0
}

extension PayloadStore {
    /// Looks at every object; reads no content. Uploads and deletions go on meanwhile.
    ///
    /// - Throws: ``StoreError`` with code `system`.
    public func measureUsage() throws(StoreError) -> StoreUsage {
        var usage = StoreUsage()
        for shard in try root.names(StoreLayout.objects) {
            let folder: Descriptor
            do {
                folder = try root.open("\(StoreLayout.objects)/\(shard)", O_RDONLY | O_DIRECTORY)
            } catch let error where error.errno == .noSuchFileOrDirectory || error.errno == .notDirectory {
                // Removed since, or a stray file.
                continue
            }
            for name in try folder.names(".") {
                guard let status = try folder.status(of: name), status.isRegular else { continue }
                usage.objects += 1
                usage.bytes += status.diskUsage
            }
        }
        return usage
    }
}
