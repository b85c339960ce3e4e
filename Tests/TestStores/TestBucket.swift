import Foundation
import Logging
import PayloadKey
import S3
import S3Store
import Storage
import TestSupport

/// A store in a part of a bucket of the shared engine, and direct changes to its objects.
package struct TestBucket {
    package let folder: TemporaryFolder
    package let url: String
    package let environment: [String: String]
    private let location: S3Location
    private let client: S3Client

    package init(bucket: String = "payloads", prefix: String = UUID().uuidString) throws {
        folder = try TemporaryFolder()
        let engine = try TestEngine.shared
        url = engine.storeURL(bucket: bucket, prefix: prefix)
        let environment = engine.environment
        self.environment = environment
        location = try S3Location(parsing: url) { environment[$0] }
        client = S3Client(location, environment: { environment[$0] }, logger: RecordedLog().logger)
    }

    /// Opens the store as a process does at its start.
    ///
    /// - Parameter incoming: the folder for uploads.
    package func open(
        incoming: String,
        reserve: UInt64 = 0,
        logger: Logger = RecordedLog().logger
    ) throws -> S3Store {
        let uploads = try UploadFolder(path: incoming, reserve: reserve, setting: "--incoming", logger: logger)
        let store = S3Store(client, uploads: uploads, logger: logger)
        try store.checkStart(waiting: true)
        return store
    }

    package func replace(_ key: PayloadKey, with content: [UInt8]) throws {
        _ = try client.put(
            location.objectKey(of: key.utf8),
            .bytes(content),
            digest: Array(Digest(of: content).bytes),
            onlyIfAbsent: false
        )
    }
}
