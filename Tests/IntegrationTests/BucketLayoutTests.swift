import Foundation
import PayloadKey
import TestSupport
import Testing

/// The layout of a bucket is the existing service's: an object's key is the payload's, byte for byte.
@Suite(.serialized, .runLimit) struct BucketLayoutTests {
    private let engine: any S3Engine
    /// A bucket's root, as the existing service has it: other tests keep to prefixes.
    private let bucket = "payloads"
    private let namespace = UUID().uuidString
    private let folder: TemporaryFolder

    init() throws {
        engine = try TestEngine.shared
        folder = try TemporaryFolder()
    }

    @Test func `What an S3 tool has put under payloads' keys is served at once`() throws {
        let contents = [
            ("common", randomPayload(10_000)), ("custom/team/a", randomPayload(10_000)), ("common", []),
            // The existing service sends what is over 5 MiB in parts.
            ("common", randomPayload(12 << 20)),
        ]
        var payloads: [String: [UInt8]] = [:]
        for (place, content) in contents {
            let metadata = place == "common" ? "" : "remote-codec/key-prefixteam/a"
            let key = "/blobs/\(namespace)/\(place)/\(Stack.digest(content))/\(Stack.digest(Array(metadata.utf8)))"
            try write(content, to: folder.file("\(payloads.count)"))
            payloads[key] = content
            try Boto3.run(
                """
                parts = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
                s3.upload_file(arguments[1], bucket, arguments[0], Config=parts)
                """,
                engine,
                bucket: bucket,
                key,
                folder.file("\(payloads.count - 1)")
            )
        }
        let stack = try Stack(engine: engine, bucket: bucket)
        for (key, content) in payloads {
            for _ in 0..<2 {
                let answer = try stack.get(key, length: content.count)
                #expect(answer.status == 200, "\(key)")
                let isWhole = answer.body == content
                #expect(isWhole, "\(key)")
                #expect(answer.headers["etag"] == "\"\(Stack.digest(content))\"")
            }
        }
        let listed = try stack.lps("ls", "--namespace", namespace).output.split(separator: "\n")
        #expect(listed.count == payloads.count)
        // And what is there already is not new.
        #expect(try stack.put(contents[0].1, namespace: namespace).status == 200)
    }

    @Test func `What the service has stored an S3 tool reads under the payload's key`() throws {
        let stack = try Stack(engine: engine, bucket: bucket)
        let cases: [(namespace: String, prefix: String?, content: [UInt8])] = [
            (namespace, nil, randomPayload(10_000)), ("a b+c%2F", nil, randomPayload(10_000)),
            ("日本", nil, randomPayload(10_000)), (namespace, "team/a", randomPayload(3 << 20)),
        ]
        for (namespace, prefix, content) in cases {
            let key = try stack.store(content, namespace: namespace, prefix: prefix)
            let object = try Boto3.run(
                """
                s3.download_file(bucket, arguments[0], arguments[1])
                print(s3.head_object(Bucket=bucket, Key=arguments[0])["ContentType"])
                """,
                engine,
                bucket: bucket,
                key,
                folder.file("fetched")
            )
            let isWhole = try contents(of: folder.file("fetched")) == content
            #expect(isWhole, "\(key)")
            #expect(object == "application/octet-stream\n")
        }
    }
}
