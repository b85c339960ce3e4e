import FoundationEssentials

/// Standard base64 with padding (RFC 4648 section 4).
enum StandardBase64 {
    /// Decodes; `nil` for anything that an encoder would not write.
    ///
    /// `Data` takes too much or too little padding, and makes bytes of it; writing the bytes again shows that.
    static func decode(_ text: [UInt8]) -> [UInt8]? {
        guard let data = Data(base64Encoded: Data(text)), data.base64EncodedData().elementsEqual(text) else {
            return nil
        }
        return Array(data)
    }
}
