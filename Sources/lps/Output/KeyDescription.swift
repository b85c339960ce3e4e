import Storage

struct KeyDescription: Encodable {
    let key: String
    /// `nil` when the content is lost.
    let size: UInt64?
    let diskUsage: UInt64
    let lastStored: String
    let path: String

    init(_ stored: StoredKey) {
        key = "\(stored.key)"
        size = stored.size
        diskUsage = stored.diskUsage
        lastStored = Output.time(stored.lastStored)
        path = stored.path
    }
}

/// A key in the trash, in JSON.
struct TrashedDescription: Encodable {
    let key: String
    /// `nil` when the content is lost.
    let size: UInt64?
    let deleted: String

    init(_ trashed: TrashedKey) {
        key = "\(trashed.stored.key)"
        size = trashed.stored.size
        deleted = Output.time(trashed.deleted)
    }
}
