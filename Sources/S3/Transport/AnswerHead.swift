import CCurl
import Encoding

/// Status and headers of an answer.
struct AnswerHead {
    private(set) var status = 0
    /// Whether its end has come.
    private(set) var isComplete = false
    /// Names in lower case.
    private var headers: S3Request.Fields = []
    private var size = 0

    /// The value of a header, given in lower case; of several the first.
    subscript(name: String) -> String? { headers.first { $0.name == name }?.value }

    /// The value of a header that is a decimal number.
    func number(_ name: String) -> UInt64? { self[name].flatMap { decimal($0.utf8) } }

    /// The unix time of a header that is a date (RFC 9110 section 5.6.7).
    func date(_ name: String) -> Int? {
        guard let text = self[name] else { return nil }
        // -1 for what is no date (curl_getdate(3)).
        let time = curl_getdate(text, nil)
        return time < 0 ? nil : time
    }

    /// Takes one line of the head, as libcurl gives it: with its end, and with the status line of each answer that came
    /// (`100 Continue` before the last).
    ///
    /// - Returns: false when it has more than any answer of an S3 engine.
    mutating func take(_ line: UnsafeRawBufferPointer) -> Bool {
        if line.starts(with: "HTTP/".utf8) {
            let code = line.split(separator: UInt8(ascii: " "), maxSplits: 2).dropFirst().first?.prefix { $0 > 0x20 }
            self = AnswerHead(status: code.flatMap(decimal).map(Int.init(truncatingIfNeeded:)) ?? 0)
            return true
        }
        size += line.count
        guard size <= 64 * 1024, headers.count < 256 else { return false }
        if line.elementsEqual("\r\n".utf8) || line.elementsEqual("\n".utf8) { isComplete = true }
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

/// The value of decimal digits, and of nothing else; `nil` past 64 bits.
func decimal(_ digits: some Collection<UInt8>) -> UInt64? { try? DecimalNumber.parse(digits) }
