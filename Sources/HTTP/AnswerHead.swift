import CCurl
import Encoding

/// The status and headers of an answer.
package struct AnswerHead {
    package private(set) var status = 0
    /// Whether the whole head has arrived.
    package private(set) var isComplete = false
    /// Names in lower case.
    private var headers: HTTPRequest.Fields = []
    private var size = 0

    /// The value of a header, by its name in lower case. If the header is repeated, the first one.
    package subscript(name: String) -> String? { headers.first { $0.name == name }?.value }

    /// The value of a header that contains a decimal number.
    package func number(_ name: String) -> UInt64? { self[name].flatMap { decimal($0.utf8) } }

    /// The Unix time of a header that contains a date (RFC 9110 section 5.6.7).
    package func date(_ name: String) -> Int? {
        guard let text = self[name] else { return nil }
        // curl_getdate(3) returns -1 for an invalid date.
        let time = curl_getdate(text, nil)
        return time < 0 ? nil : time
    }

    /// Adds one line of the head, with its line end, as libcurl passes it. A status line starts a new head: `100
    /// Continue` may precede the final answer.
    ///
    /// - Returns: false if the head exceeds the limits, which no sound server's answer does.
    mutating func take(_ line: UnsafeRawBufferPointer) -> Bool {
        if line.starts(with: "HTTP/".utf8) {
            let code = line.split(separator: UInt8(ascii: " "), maxSplits: 2).dropFirst().first?.prefix { $0 > 0x20 }
            self = AnswerHead(status: code.flatMap { decimal($0) }.map(Int.init(truncatingIfNeeded:)) ?? 0)
            return true
        }
        size += line.count
        guard size <= 64 * 1024, headers.count < 256 else { return false }
        if line.equals("\r\n") || line.equals("\n") { isComplete = true }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return true }
        let value = line[(colon + 1)...].prefix { $0 != UInt8(ascii: "\n") }.trimmed()
        headers.append(
            (String(decoding: line[..<colon], as: UTF8.self).lowercased(), String(decoding: value, as: UTF8.self))
        )
        return true
    }

    init() {}

    private init(status: Int) { self.status = status }
}

/// The value of decimal digits; `nil` if there is any other character, or if it exceeds 64 bits.
package func decimal(_ digits: some Collection<UInt8>) -> UInt64? { try? DecimalNumber.parse(digits) }
