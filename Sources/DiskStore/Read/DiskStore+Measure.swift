import Glibc
import Storage

extension DiskStore {
    /// Looks at every object; reads no content. Uploads and deletions go on meanwhile.
    ///
    /// - Throws: ``StoreError`` with code `system`.
    public func measureUsage() throws(StoreError) -> StoreUsage {
        // A worker that is idle records the time, too.
        try recordTime()
        var usage = StoreUsage()
        for shard in StoreLayout.shards {
            let folder = "\(StoreLayout.objects)/\(shard)"
            for name in try root.namesIfThere(folder) {
                guard let status = try root.status(of: "\(folder)/\(name)"), status.isRegular else { continue }
                usage.objects += 1
                usage.bytes += status.diskUsage
            }
        }
        return usage
    }
}
