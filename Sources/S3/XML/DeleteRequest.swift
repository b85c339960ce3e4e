/// The body of a request that deletes several objects (DeleteObjects).
struct DeleteRequest {
    /// The most keys that a request may name.
    static let most = 1000

    /// Whether XML 1.0 can name a key: its bytes are UTF-8, of characters that XML has.
    static func canName(_ key: [UInt8]) -> Bool {
        guard let text = String(validating: key, as: UTF8.self) else { return false }
        return text.unicodeScalars.allSatisfy { XMLCharacters.has($0.value) }
    }

    /// Asks for the failures only.
    let body: [UInt8]

    init(_ keys: some Collection<[UInt8]>) {
        var xml = Array("<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>".utf8)
        for key in keys {
            xml += "<Object><Key>".utf8
            for byte in key {
                switch byte {
                case UInt8(ascii: "&"): xml += "&amp;".utf8
                case UInt8(ascii: "<"): xml += "&lt;".utf8
                case UInt8(ascii: ">"): xml += "&gt;".utf8
                // As they are, readers make line feeds of them.
                case 0x09, 0x0A, 0x0D: xml += "&#\(byte);".utf8
                default: xml.append(byte)
                }
            }
            xml += "</Key></Object>".utf8
        }
        body = xml + "</Delete>".utf8
    }
}
