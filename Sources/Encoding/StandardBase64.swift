import FoundationEssentials

/// Standard base64 with padding (RFC 4648 section 4).
public enum StandardBase64 {
    /// Encodes bytes on one line, with padding.
    public static func encode(_ bytes: some Sequence<UInt8>) -> String {
        Data(bytes).base64EncodedString()
    }

    /// Decodes a text; `nil` if no encoder would write it.
    ///
    /// `Data` accepts too much or too little padding, so the text is compared with the encoding of the decoded bytes.
    public static func decode(_ text: some Sequence<UInt8>) -> [UInt8]? {
        let text = Data(text)
        guard let data = Data(base64Encoded: text), data.base64EncodedData() == text else { return nil }
        return Array(data)
    }
}
