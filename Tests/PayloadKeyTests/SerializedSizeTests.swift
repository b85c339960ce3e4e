import TestSupport
import Testing

@testable import PayloadKey

@Suite(.runLimit) struct SerializedSizeTests {
    /// The sizes are those of `temporalio.api.common.v1.Payload(…).ByteSize()` in Python's protobuf 7.36.2.
    @Test(
        arguments: [
            ([], 0, 0), ([], 1, 3), ([], 127, 129), ([], 128, 131), ([], 16_383, 16_386), ([], 16_384, 16_388),
            ([], 127_996, 128_000), ([("encoding", "json/plain")], 0, 24),
            ([("encoding", "json/plain")], 127_972, 128_000), ([("", "")], 0, 6), ([("é", "")], 0, 8),
            ([("encoding", "json/plain"), ("foo", String(repeating: "x", count: 200))], 5, 242),
        ] as [([(String, String)], UInt64, UInt64)]
    )
    func `A payload's size is that of its protobuf serialization`(
        metadata: [(String, String)],
        data: UInt64,
        size: UInt64
    ) {
        let metadata = TemporalMetadata(metadata.map { (Array($0.0.utf8), Array($0.1.utf8)) })
        #expect(SerializedSize.ofPayload(metadata, dataSize: data) == size)
    }
}
