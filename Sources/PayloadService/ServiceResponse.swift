/// An answer as the endpoints give it: plain values, whatever protocol carries them.
public struct ServiceResponse {
    /// What follows the header fields.
    public enum Body {
        case empty
        case bytes([UInt8])
        /// So many bytes, handed over piece by piece. When that fails, the client must see that the rest is missing.
        case produced(UInt64, (_ take: (UnsafeRawBufferPointer) throws -> Void) throws -> Void)
    }

    /// A header field.
    public struct Header: Equatable, Sendable {
        /// The field's name.
        public let name: String
        /// ASCII without controls.
        public let value: String
    }

    /// The status.
    public var status: Status
    /// The header fields, without `Content-Length`.
    public var headers: [Header]
    /// The content.
    public var body: Body

    init(_ status: Status, headers: [(String, String)] = [], body: Body = .empty) {
        self.status = status
        self.headers = headers.map(Header.init(name:value:))
        self.body = body
    }

    /// An error's answer: one line of text, without a line break, as the clients of this API know it.
    init(_ refusal: Refusal) {
        self.init(
            refusal.status,
            headers: [("Content-Type", "text/plain; charset=utf-8")] + refusal.headers,
            body: .bytes(Array(refusal.message.utf8))
        )
    }

    mutating func add(_ name: String, _ value: String) {
        headers.append(Header(name: name, value: value))
    }
}

/// An HTTP status (RFC 9110 section 15).
public struct Status: Equatable, Sendable {
    /// The three digits.
    public let code: Int
    /// The words behind them.
    public let reason: String

    static let ok = Status(code: 200, reason: "OK")
    static let created = Status(code: 201, reason: "Created")
    static let partialContent = Status(code: 206, reason: "Partial Content")
    static let notModified = Status(code: 304, reason: "Not Modified")
    static let badRequest = Status(code: 400, reason: "Bad Request")
    static let forbidden = Status(code: 403, reason: "Forbidden")
    static let notFound = Status(code: 404, reason: "Not Found")
    static let methodNotAllowed = Status(code: 405, reason: "Method Not Allowed")
    static let lengthRequired = Status(code: 411, reason: "Length Required")
    static let preconditionFailed = Status(code: 412, reason: "Precondition Failed")
    static let contentTooLarge = Status(code: 413, reason: "Content Too Large")
    static let rangeNotSatisfiable = Status(code: 416, reason: "Range Not Satisfiable")
    static let internalServerError = Status(code: 500, reason: "Internal Server Error")
    static let serviceUnavailable = Status(code: 503, reason: "Service Unavailable")
    static let insufficientStorage = Status(code: 507, reason: "Insufficient Storage")

    /// Every code that an answer may have.
    public static let codes = [
        ok, created, partialContent, notModified, badRequest, forbidden, notFound, methodNotAllowed, lengthRequired,
        preconditionFailed, contentTooLarge, rangeNotSatisfiable, internalServerError, serviceUnavailable,
        insufficientStorage,
    ].map(\.code)
}

/// Why a request is not served, as the client is told.
struct Refusal: Error {
    let status: Status
    let message: String
    let headers: [(String, String)]

    init(_ status: Status, _ message: String, headers: [(String, String)] = []) {
        self.status = status
        self.message = message
        self.headers = headers
    }

    /// A check of the wire contract that answers 400.
    static func badRequest(_ message: String) -> Refusal {
        Refusal(.badRequest, message)
    }
}
