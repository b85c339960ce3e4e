import DiskStore
import Foundation
import Logging
import PayloadKey
import PayloadService
import Storage
import TestSupport

/// The stores that the service's contract must hold over.
enum StoreKind: String, CaseIterable, Sendable {
    case disk

    /// Those that keep quotas.
    static let withQuotas: [StoreKind] = [.disk]

    /// Makes an empty store.
    ///
    /// - Parameters:
    ///   - folder: a folder of its own.
    ///   - reserve: bytes of free space below which it takes nothing.
    ///   - quota: the most bytes that a namespace may have.
    func make(
        in folder: TemporaryFolder,
        reserve: UInt64,
        quota: @escaping @Sendable (Namespace) -> UInt64?,
        logger: Logger
    ) throws -> StoreUnderTest {
        switch self {
        case .disk:
            let path = folder.file("store")
            try DiskStore.create(at: path)
            let store = try DiskStore(path: path, reserve: reserve, quota: quota, logger: logger)
            return StoreUnderTest(
                storage: store,
                contents: { ["objects", "keys"].flatMap { files(below: "\(path)/\($0)") } },
                content: { "\(path)/objects/\($0.hex.prefix(2))/\($0.hex)" },
                fetch: { headers in
                    let field = headers.first { $0.name == "X-Accel-Redirect" }
                    return try TestSupport.contents(of: path + (field?.value ?? "").dropFirst("/internal".count))
                }
            )
        }
    }
}

/// A store, and what a test does behind the service's back.
struct StoreUnderTest {
    let storage: any PayloadStorage
    /// All that is stored, as text that changes when it changes.
    let contents: () throws -> [String]
    /// The file that holds the content of a digest.
    let content: (Digest) -> String
    /// What a web server sends that is told so by these header fields.
    let fetch: ([ServiceResponse.Header]) throws -> [UInt8]
}
