import Foundation
import PayloadKey
import S3
import S3Store
import Storage
import StoreSupport
import TestSupport
import Testing

/// A store of each kind, and what a test does to it behind its back.
struct StoreUnderTest {
    let store: any PayloadStorage
    /// Puts other bytes in the place of a payload's.
    let replace: (PayloadKey, [UInt8]) throws -> Void
    /// Makes a key as old as if it had been stored so many days ago; `nil` where nobody can.
    let makeOld: ((PayloadKey, _ days: Double) throws -> Void)?
}

/// The kinds of stores that keep the contract.
enum StoreKind: String, CaseIterable, CustomTestStringConvertible {
    case memory, disk, s3

    /// All kinds, where an engine can be started.
    static let all = allCases.filter { $0 != .s3 || ProcessInfo.processInfo.environment["LPS_WEED"] != nil }

    var testDescription: String { rawValue }

    /// Makes an empty store, with its files in a folder.
    func make(in folder: TemporaryFolder) throws -> StoreUnderTest {
        let logger = RecordedLog().logger
        switch self {
        case .memory:
            let uploads = try UploadFolder(path: folder.path, reserve: 0, setting: "--incoming", logger: logger)
            let store = MemoryStore(uploads: uploads)
            return StoreUnderTest(
                store: store,
                replace: { store.replace($0, with: $1) },
                makeOld: { store.makeOld($0, seconds: Int($1 * 86_400)) }
            )
        case .disk:
            let disk = try TestStore(in: folder)
            return StoreUnderTest(
                store: disk.store,
                replace: { try disk.replace($0, with: $1) },
                makeOld: { try disk.makeOld($0, days: $1) }
            )
        case .s3:
            let engine = try TestEngine.shared
            let prefix = UUID().uuidString
            let environment: @Sendable (String) -> String? = { engine.environment[$0] }
            let location = try S3Location(parsing: engine.storeURL(prefix: prefix), environment: environment)
            let client = S3Client(location, environment: environment, logger: logger)
            let uploads = try UploadFolder(path: folder.path, reserve: 0, setting: "--incoming", logger: logger)
            let store = S3Store(client, uploads: uploads, logger: logger)
            try store.checkStart(waiting: true)
            return StoreUnderTest(
                store: store,
                replace: { try client.replace($0, with: $1, in: location) },
                makeOld: nil
            )
        }
    }
}
