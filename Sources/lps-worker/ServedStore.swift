import Logging
import DiskStore
import Storage

/// What a worker asks of the store that it serves, beside what requests ask.
protocol ServedStore: PayloadStorage {
    /// Makes sure that what it is on is there, and can be relied on.
    ///
    /// - Parameter waits: whether what may pass is waited for, for some seconds.
    func checkForServing(waits: Bool, _ logger: Logger) throws(StoreError)
    /// Removes what crashed uploads have left, and tells of what does not belong there.
    func tidyUp() throws(StoreError)
    /// Counts what namespaces use, where they have quotas.
    func keepCounts(hasQuotas: Bool) throws(StoreError)
    /// What the store has; `nil` where it costs too much to know.
    func usage() throws(StoreError) -> StoreUsage?
}

extension DiskStore: ServedStore {
    func checkForServing(waits: Bool, _ logger: Logger) throws(StoreError) {
        try checkFileSystem()
        if let name = remoteFileSystem {
            logger.warning(
                "the store is on a network file system, or another program's: what is answered may be lost",
                metadata: ["file_system": "\(name)", "store": "\(path)"]
            )
        }
    }

    func tidyUp() throws(StoreError) {
        try recordTime()
        try reportStrayFiles()
        try removeLeftovers()
    }

    func usage() throws(StoreError) -> StoreUsage? {
        try recordTime()
        return try measureUsage()
    }
}
