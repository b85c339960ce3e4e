import FoundationEssentials

/// Standard base64 with padding (RFC 4648 section 4).
public enum StandardBase64 {
    /// Encodes.
    public static func encode(_ bytes: some Sequence<UInt8>) -> String {
        Data(bytes).base64EncodedString()
    }

    /// Decodes; `nil` for anything that an encoder would not write.
    ///
    /// `Data` takes too much or too little padding, and makes bytes of it; writing the bytes again shows that.
    public static func decode(_ text: some Sequence<UInt8>) -> [UInt8]? {
        let text = Data(text)
        guard let data = Data(base64Encoded: text), data.base64EncodedData() == text else { return nil }
        return Array(data)
    }
}
