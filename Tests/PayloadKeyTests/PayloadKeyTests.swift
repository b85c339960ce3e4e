import TestSupport
import Testing

@testable import PayloadKey

@Suite(.runLimit) struct PayloadKeyTests {
    @Test(arguments: PutVector.all)
    func `Each example has the key that the contract states`(vector: PutVector) throws {
        let metadata = try TemporalMetadata(header: Array(vector.xTemporalMetadata.utf8))
        let digest = try Digest(parsing: vector.digest.utf8)
        let key = PayloadKey(
            namespace: try Namespace(validating: vector.namespace.utf8),
            prefix: metadata.keyPrefix.flatMap(KeyPrefix.init(validating:)),
            digest: digest,
            metadataHash: metadata.hash
        )
        #expect(Digest(of: vector.payload) == digest)
        #expect(metadata.hash.description == vector.metadataHash)
        #expect(key.utf8 == Array(vector.key.utf8))
        #expect(PayloadKey(parsing: vector.key.utf8) == key)
    }

    private static let digests = "\(Digest(of: "a".utf8))/\(Digest(of: "b".utf8))"

    @Test(arguments: ["/", "a//b", "/a", "a/"])
    func `A prefix keeps its slashes in the key`(prefix: String) {
        let text = "/blobs/ns/custom/\(prefix)/\(Self.digests)"
        let key = PayloadKey(parsing: text.utf8)
        #expect(key?.prefix?.description == prefix)
        #expect(key?.description == text)
    }

    @Test func `A key is parsed in the middle of other bytes`() throws {
        let text = "/blobs/ns/custom/a/b/\(Self.digests)"
        let around = Array("key=\(text)&more".utf8)
        let key = try #require(PayloadKey(parsing: around[4..<around.count - 5]))
        #expect(key.description == text)
    }

    @Test(
        arguments: [
            "", "/", "blobs/ns/common/\(digests)", "/blobs/ns/common/\(digests)/", "/blobs//common/\(digests)",
            "/blobs/../common/\(digests)", "/blobs/ns/common/x/\(digests)", "/blobs/ns/custom/\(digests)",
            "/blobs/ns/custom//\(digests)", "/blobs/ns/custom/../\(digests)", "/blobs/ns/other/\(digests)",
            "/blobs/common/\(digests)", "/blobs/\(digests)", "/blobs/ns/custom/\(digests)", "/blobs/ns//\(digests)",
            "/blobs/ns/commons/\(digests)", "/blobs/ns/common/\(digests.uppercased())", "/blobs/n\0s/common/\(digests)",
            "/blobs/ns/common/\(digests)\0",
            "/blobs/a/b/common/\(digests)", "/blob/ns/common/\(digests)", String(repeating: "/", count: 1000),
        ]
    )
    func `A malformed key is refused`(text: String) {
        #expect(PayloadKey(parsing: text.utf8) == nil)
    }
}
