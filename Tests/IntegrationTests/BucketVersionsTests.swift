import Foundation
import TestSupport
import Testing

/// A bucket that keeps the versions of its objects.
@Suite(.serialized, .runLimit) struct BucketVersionsTests {
    // Ceph ignores If-None-Match: * there.
    @Test func `A payload that is stored again makes no version of its object`() throws {
        let engine = try TestEngine.shared
        let bucket = "versions-\(UUID().uuidString.lowercased())"
        try engine.createVersionedBucket(bucket)
        let stack = try Stack(engine: engine, bucket: bucket)
        let payload = randomPayload(1_000)
        #expect(try (0..<3).map { _ in try stack.put(payload).status } == [201, 200, 200])
        try write(payload, to: stack.folder.file("payload"))
        #expect(try stack.lps("put", stack.folder.file("payload"), "--namespace", "default").status == 0)
        let versions = try Boto3.run(
            """
            versions = s3.list_object_versions(Bucket=bucket)["Versions"]
            print(sum("blobs/" in version["Key"] for version in versions))
            """,
            engine,
            bucket: bucket
        )
        #expect(versions == "1\n")
    }
}
