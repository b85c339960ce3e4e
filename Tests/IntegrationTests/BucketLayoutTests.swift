import Foundation
import TestSupport
import Testing

/// A bucket has the existing service's layout: an object's key is the payload's key, byte for byte.
@Suite(.serialized, .runLimit) struct BucketLayoutTests {
    private let stack: Stack
    /// The whole bucket, as the existing service uses it. Other tests use prefixes.
    private let bucket = "payloads"
    private let namespace = UUID().uuidString
    private let folder: TemporaryFolder

    init() throws {
        stack = try Stack(engine: TestEngine.shared, bucket: bucket)
        folder = try TemporaryFolder()
    }

    @Test func `Objects that an S3 tool stores under payloads' keys are served immediately`() throws {
        let contents = [
            ("common", randomPayload(10_000)), ("custom/team/a", randomPayload(10_000)), ("common", []),
            // The existing service uploads more than 5 MiB in parts.
            ("common", randomPayload(12 << 20)),
        ]
        var payloads: [String: [UInt8]] = [:]
        var arguments: [String] = []
        for (place, content) in contents {
            let metadata = place == "common" ? "" : "remote-codec/key-prefixteam/a"
            let key = "/blobs/\(namespace)/\(place)/\(Stack.digest(content))/\(Stack.digest(Array(metadata.utf8)))"
            arguments += [key, folder.file("\(payloads.count)")]
            try write(content, to: folder.file("\(payloads.count)"))
            payloads[key] = content
        }
        let script = """
            parts = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
            for key, file in zip(arguments[::2], arguments[1::2]):
                s3.upload_file(file, bucket, key, Config=parts)
            """
        try Boto3.run(script, TestEngine.shared, bucket: bucket, arguments)
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
        // 200: the payload exists already.
        #expect(try stack.put(contents[0].1, namespace: namespace).status == 200)
    }

    @Test func `An S3 tool reads stored payloads under their keys`() throws {
        let cases: [(namespace: String, prefix: String?, content: [UInt8])] = [
            (namespace, nil, randomPayload(10_000)), ("a b+c%2F", nil, randomPayload(10_000)),
            ("日本", nil, randomPayload(10_000)), (namespace, "team/a", randomPayload(3 << 20)),
        ]
        let keys = try cases.map { try stack.store($0.content, namespace: $0.namespace, prefix: $0.prefix) }
        let script = """
            for index, key in enumerate(arguments[1:]):
                s3.download_file(bucket, key, f"{arguments[0]}/{index}")
                print(s3.head_object(Bucket=bucket, Key=key)["ContentType"])
            """
        let types = try Boto3.run(script, TestEngine.shared, bucket: bucket, [folder.path] + keys)
        #expect(types == String(repeating: "application/octet-stream\n", count: keys.count))
        for (index, (key, stored)) in zip(keys, cases).enumerated() {
            let isWhole = try contents(of: folder.file("\(index)")) == stored.content
            #expect(isWhole, "\(key)")
        }
    }
}
