import PayloadKey
import SystemPackage

/// A payload in nginx's cache (`proxy_cache_path`). The file has nginx's header, which ends with the line `KEY: <key>`, then
/// the head of the engine's answer, and its body. The key is the namespace, a slash, and the digest (`proxy_cache_key` in
/// nginx/s3.conf).
struct NginxCacheEntry {
    /// The digest that the body must have.
    let digest: Digest
    /// The offset of the body in the file, in bytes.
    let bodyStart: Int

    /// An upper limit for nginx's header and the answer's head (`proxy_buffer_size` in nginx/s3.conf), in bytes.
    static let longestHead = 64 * 1024

    /// Parses the beginning of a file; `nil` if it is incomplete, or not a payload's entry.
    init?(head: [UInt8]) {
        let label = Array("\nKEY: ".utf8)
        guard let start = Self.end(of: label, in: head, from: 0),
            let end = head[start...].firstIndex(of: UInt8(ascii: "\n")),
            let slash = head[start..<end].lastIndex(of: UInt8(ascii: "/")),
            let digest = Digest(hex: head[(slash + 1)..<end]),
            let body = Self.end(of: Array("\r\n\r\n".utf8), in: head, from: end)
        else { return nil }
        self.digest = digest
        bodyStart = body
    }

    /// Whether a file has the name of a complete entry: the MD5 of its key. nginx appends a suffix while it writes.
    static func isName(_ name: String) -> Bool {
        name.utf8.count == 32
            && name.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }

    private static func end(of text: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
        guard bytes.count - start >= text.count else { return nil }
        for index in start...(bytes.count - text.count) where bytes[index..<(index + text.count)].elementsEqual(text) {
            return index + text.count
        }
        return nil
    }
}
