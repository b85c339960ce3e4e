import Encoding
import FoundationEssentials
import Glibc
import PayloadService

/// The format of an access log line: text with `$names`, as in nginx's `log_format`.
struct AccessFormat: Equatable, Sendable {
    /// `$time "$method $path" status=$status duration=$duration …`
    static let standard: AccessFormat = {
        let request: [Part] = [
            .variable(.time), .text(" \""), .variable(.method), .text(" "), .variable(.path), .text("\""),
        ]
        let fields: [Variable] = [
            .status, .duration, .hashTime, .commitTime, .bytesIn, .bytesOut, .namespace, .digest, .requestID,
        ]
        return AccessFormat(parts: request + fields.flatMap { [.text(" \($0.rawValue)="), .variable($0)] })
    }()

    enum Variable: String, CaseIterable, Sendable {
        case time, method, path, endpoint, status, duration
        case hashTime = "hash_time"
        case commitTime = "commit_time"
        case answerTime = "answer_time"
        case bytesIn = "bytes_in"
        case bytesOut = "bytes_out"
        case namespace, digest
        case requestID = "request_id"
        case pid

        /// All variables with their `$`, for help and errors.
        static let list = allCases.map { "$" + $0.rawValue }.joined(separator: ", ")
    }

    private enum Part: Equatable, Sendable {
        case text(String)
        case variable(Variable)
    }

    private let parts: [Part]

    private init(parts: [Part]) {
        self.parts = parts
    }

    /// - Throws: ``ConfigurationError`` that names an unknown variable.
    init(parsing text: String) throws {
        var parts: [Part] = []
        var rest = Substring(text)
        while let dollar = rest.firstIndex(of: "$") {
            parts.append(.text(String(rest[..<dollar])))
            let name = rest[rest.index(after: dollar)...].prefix { $0.isASCII && ($0.isLetter || $0 == "_") }
            guard let variable = Variable(rawValue: String(name)) else {
                throw ConfigurationError(
                    "--access-format (LPS_ACCESS_FORMAT) has '$\(name)', expected one of \(Variable.list)"
                )
            }
            parts.append(.variable(variable))
            rest = rest[name.endIndex...]
        }
        self.parts = parts + [.text(String(rest))]
    }

    func line(_ request: ServiceRequest, _ trace: RequestTrace, status: Int) -> String {
        parts.map { part in
            switch part {
            case .text(let text): text
            case .variable(let variable): value(variable, request, trace, status)
            }
        }.joined()
    }

    private func value(_ variable: Variable, _ request: ServiceRequest, _ trace: RequestTrace, _ status: Int) -> String
    {
        func time(_ phase: RequestTrace.Phase) -> String { trace.durations[phase].map(Self.seconds) ?? "-" }
        switch variable {
        case .time: return Date().ISO8601Format()
        case .method: return Self.escaped(request.method)
        case .path: return Self.escaped(request.path)
        case .endpoint: return trace.endpoint.rawValue
        case .status: return "\(status)"
        case .duration: return Self.seconds(trace.age)
        case .hashTime: return time(.hashing)
        case .commitTime: return time(.committing)
        case .answerTime: return time(.answering)
        case .bytesIn: return "\(trace.bytesIn)"
        case .bytesOut: return "\(trace.bytesOut)"
        case .namespace: return trace.namespace.map { PercentEncoding.encodePath($0.utf8) } ?? "-"
        case .digest: return trace.digest.map { "\($0)" } ?? "-"
        case .requestID: return trace.id.map { String(decoding: $0, as: UTF8.self) } ?? "-"
        case .pid: return "\(getpid())"
        }
    }

    /// Formats seconds with three decimals, as nginx does.
    static func seconds(_ duration: Duration) -> String {
        let milliseconds = max(0, Int((duration.seconds * 1000).rounded()))
        let fraction = "\(milliseconds % 1000)"
        return "\(milliseconds / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
    }

    /// Escapes `"`, `\`, control characters and non-ASCII bytes as `\xHH`, as nginx does, so that a client can't break a line
    /// or a quoted field.
    private static func escaped(_ bytes: ServiceRequest.Bytes) -> String {
        bytes.map { byte in
            switch byte {
            case 0x20...0x7E where byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\"):
                return String(UnicodeScalar(byte))
            default:
                let hex = String(byte, radix: 16, uppercase: true)
                return "\\x" + (hex.count < 2 ? "0" : "") + hex
            }
        }.joined()
    }
}
