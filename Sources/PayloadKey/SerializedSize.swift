/// The size of a payload as a protobuf message, `temporal.api.common.v1.Payload`, which the codec's threshold applies to.
///
/// ```proto
/// message Payload { map<string, bytes> metadata = 1; bytes data = 2; }
/// ```
public enum SerializedSize {
    /// The message's size in bytes (protobuf.dev/programming-guides/encoding).
    ///
    /// - Parameter dataSize: bytes of the payload's data.
    public static func ofPayload(_ metadata: TemporalMetadata, dataSize: UInt64) -> UInt64 {
        // A map is a repeated message of a key (1) and a value (2), both written even if they are empty.
        let fields = metadata.entries.map { entry in
            field(field(UInt64(entry.name.count)) + field(UInt64(entry.value.count)))
        }
        return fields.reduce(0, +) + (dataSize == 0 ? 0 : field(dataSize))
    }

    /// The size of a length-delimited field with a number below 16: one byte of tag, the length, the content.
    private static func field(_ length: UInt64) -> UInt64 {
        1 + varint(length) + length
    }

    /// The size of a varint: one byte for every seven bits.
    private static func varint(_ value: UInt64) -> UInt64 {
        UInt64(max(1, (UInt64.bitWidth - value.leadingZeroBitCount + 6) / 7))
    }
}
