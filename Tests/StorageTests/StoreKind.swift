import DiskStore
import Foundation
import PayloadKey
import S3
import S3Store
import Storage
import TestSupport
import Testing

/// A store of each kind, and what a test does to it behind its back.
struct StoreUnderTest {
    let store: any PayloadStorage
    /// Puts other bytes in the place of a payload's.
    let replace: (PayloadKey, [UInt8]) throws -> Void
    /// Makes a key as old as if it had been stored so many seconds ago; `nil` where nobody can.
    let makeOld: ((PayloadKey, _ seconds: Int) throws -> Void)?
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
                makeOld: { store.makeOld($0, seconds: $1) }
            )
        case .disk:
            let path = folder.file("store")
            try DiskStore.create(at: path)
            let store = try DiskStore(path: path, reserve: 0, logger: logger)
            return StoreUnderTest(
                store: store,
                replace: { key, content in
                    let file = "\(path)/objects/\(key.digest.hex.prefix(2))/\(key.digest.hex)"
                    chmod(file, 0o640)
                    try write(content, to: file)
                },
                makeOld: { key, seconds in
                    let file = "\(path)/" + (try #require(try store.find(key)).path)
                    var times = Array(repeating: timespec(tv_sec: time(nil) - seconds, tv_nsec: 0), count: 2)
                    #expect(utimensat(AT_FDCWD, file, &times, 0) == 0)
                }
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
                replace: { key, content in
                    _ = try client.put(
                        location.objectKey(of: key.utf8),
                        .bytes(content),
                        digest: Array(Digest(of: content).bytes),
                        onlyIfAbsent: false
                    )
                },
                makeOld: nil
            )
        }
    }
}
