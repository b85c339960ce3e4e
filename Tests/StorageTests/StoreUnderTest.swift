import PayloadKey
import Storage
import StoreSupport
import TestSupport

/// An empty store of a kind, and what a test does to it behind its back.
struct StoreUnderTest {
    let store: any PayloadStorage
    /// Puts other bytes in the place of a payload's.
    let replace: (PayloadKey, [UInt8]) throws -> Void

    init(_ kind: StoreKind, in folder: TemporaryFolder) throws {
        switch kind {
        case .disk:
            let disk = try TestStore(in: folder)
            store = disk.store
            replace = { try disk.replace($0, with: $1) }
        case .bucket:
            let bucket = try TestBucket()
            store = try bucket.open(incoming: folder.path)
            replace = { try bucket.replace($0, with: $1) }
        }
    }
}
