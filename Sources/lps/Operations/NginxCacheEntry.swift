import PayloadKey
import SystemPackage

/// A payload in nginx's cache (`proxy_cache_path`): the file has a header of nginx's own, which ends with the line
/// `KEY: <key>`, then the head of the engine's answer, and then its body. The key is the namespace, a slash, and the digest
/// (`proxy_cache_key` in nginx/s3.conf).
struct NginxCacheEntry {
    /// What the body must have.
    let digest: Digest
    /// Where the body begins, in bytes.
    let bodyStart: Int

    /// More than nginx keeps of a head (`proxy_buffer_size` in nginx/s3.conf), with its own header.
    static let longestHead = 64 * 1024

    /// Reads the beginning of a file; `nil` when it is no entry of a payload.
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

    /// Whether a file is called as nginx calls an entry: by the MD5 of its key. Files that it still writes have more.
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
