import Encoding
import Foundation
import PayloadKey
import Storage
import S3
import S3Store
import StorePolicy
import TestSupport
import Testing

@testable import lps

/// `lps gc` on a bucket whose objects are as old as a script says.
@Suite struct BucketCollectionTests {
    private let folder: TemporaryFolder
    private let now = Date()

    init() throws { folder = try TemporaryFolder() }

    private func key(_ content: String, _ namespace: String = "ns") throws -> PayloadKey {
        PayloadKey(
            namespace: try Namespace(validating: namespace.utf8),
            prefix: nil,
            digest: Digest(of: Array(content.utf8)),
            metadataHash: Digest(of: [])
        )
    }

    private func time(hoursAgo hours: Double) -> Date { now.addingTimeInterval(-hours * 3600) }

    /// - Parameters:
    ///   - listed: keys with the hours since each was stored, as they are listed.
    ///   - found: the same, as they are looked at again.
    private func engine(_ listed: [PayloadKey: Double], found: [PayloadKey: Double]) throws -> ScriptedServer {
        let entries = listed.map { key, hours in
            "<Contents><Key>\(key)</Key><Size>7</Size>"
                + "<LastModified>\(ISO8601DateFormatter().string(from: time(hoursAgo: hours)))</LastModified></Contents>"
        }
        let heads = Dictionary(
            uniqueKeysWithValues: found.map { key, hours in
                (key.digest.hex, "Last-Modified: " + httpDate(time(hoursAgo: hours)))
            }
        )
        return try ScriptedServer { _, request in
            if request.line.hasPrefix("HEAD") {
                guard let head = heads.first(where: { request.line.contains($0.key) })?.value else {
                    return [.send("HTTP/1.1 404 -\r\n\r\n"), .close]
                }
                return [.send("HTTP/1.1 200 -\r\nContent-Length: 7\r\n\(head)\r\n\r\n")]
            }
            if request.line.hasPrefix("DELETE") { return [.send("HTTP/1.1 204 -\r\n\r\n")] }
            if request.line.contains("list-type") {
                return [.answer(200, [], "<ListBucketResult>\(entries.joined())</ListBucketResult>")]
            }
            return [.error(404, "NoSuchKey")]
        }
    }

    private func collect(
        _ server: ScriptedServer,
        _ policy: StorePolicy = StorePolicy(),
        _ report: CollectionReport = CollectionReport()
    ) throws -> GarbageCollection {
        let logger = RecordedLog().logger
        let client = S3Client(
            try S3Location(parsing: "s3://bucket?endpoint=http://127.0.0.1:\(server.port)", environment: { _ in nil }),
            credentials: Credentials(accessKey: "key", secretKey: "secret"),
            logger: logger
        )
        let uploads = try UploadFolder(path: folder.path, reserve: 0, setting: "TMPDIR", logger: logger)
        let bucket = S3Store(client, uploads: uploads, logger: logger)
        let retention = try Retention(policy: policy, olderThan: Age(parsing: "2d"), allowsAnyAge: false)
        var collection = try GarbageCollection(bucket, KeySelection(), retention, .init(), report) {
            Issue.record("\($0)")
        }
        try collection.run(keys: collection.count())
        return collection
    }

    /// The requests that delete.
    private func deletions(_ server: ScriptedServer) -> String {
        server.lines.filter { $0.hasPrefix("DELETE") }.joined()
    }

    @Test func `Deleted is what was not stored for the age and a day, since an age is renewed once a day`() throws {
        let (young, renewable, old) = (try key("young"), try key("renewable"), try key("old"))
        let ages = [young: 1.0, renewable: 71.0, old: 73.0]
        let server = try engine(ages, found: ages)
        var listed: [PayloadKey] = []
        let report = CollectionReport { stored, _ in listed.append(stored.key) }
        let collection = try collect(server, StorePolicy(), report)
        #expect(collection.report.total.keys == 1)
        #expect(listed == [old])
        #expect(report.sums[old.namespace]?.keys == 1 && report.sums[old.namespace]?.logicalBytes == 7)
        #expect(collection.report.total.logicalBytes == 7)
        #expect(deletions(server).contains(old.digest.hex))
        #expect(!deletions(server).contains(young.digest.hex) && !deletions(server).contains(renewable.digest.hex))
    }

    @Test func `What was renewed or deleted since it was listed is left`() throws {
        let (renewed, gone, old) = (try key("renewed"), try key("gone"), try key("old"))
        let server = try engine([renewed: 99, gone: 99, old: 99], found: [renewed: 0.1, old: 99])
        #expect(try collect(server).report.total.keys == 1)
        #expect(deletions(server).contains(old.digest.hex))
        #expect(!deletions(server).contains(renewed.digest.hex) && !deletions(server).contains(gone.digest.hex))
    }
}
