import Encoding

/// An answer of the endpoints, independent of the protocol.
public struct ServiceResponse {
    /// The content after the header fields.
    public enum Body {
        case empty
        case bytes([UInt8])
        /// A number of bytes, and a function that produces them in pieces. If it fails, the client must notice that the rest
        /// is missing.
        case produced(UInt64, (_ take: (UnsafeRawBufferPointer) throws -> Void) throws -> Void)
    }

    /// The HTTP status of the answer.
    public var status: Status
    /// The header fields, without `Content-Length`, as they are sent: a line `Name: value` for each, ended by CR and LF.
    public private(set) var fieldLines: [UInt8] = []
    /// The content, if any.
    public var body: Body

    init(_ status: Status, headers: [(String, String)] = [], body: Body = .empty) {
        self.status = status
        self.body = body
        fieldLines.reserveCapacity(1024)
        for (name, value) in headers { add(name, value) }
    }

    /// Makes an error's answer: one line of text without a line break, which existing clients expect.
    init(_ refusal: Refusal) {
        self.init(
            refusal.status,
            headers: [("Content-Type", "text/plain; charset=utf-8")] + refusal.headers,
            body: .bytes(Array(refusal.message.utf8))
        )
    }

    /// Adds a header field.
    mutating func add(_ name: String, _ value: String) {
        add(name) { $0.append(utf8: value) }
    }

    /// Adds a header field whose value `append` writes, to spare a copy.
    mutating func add(_ name: String, _ append: (inout [UInt8]) -> Void) {
        fieldLines.append(utf8: name)
        fieldLines.append(": ")
        append(&fieldLines)
        fieldLines.append("\r\n")
    }
}

extension [UInt8] {
    /// Appends a text with one copy; `+= text.utf8` takes several steps.
    fileprivate mutating func append(utf8 text: String) {
        text.utf8Span.span.withUnsafeBufferPointer { append(contentsOf: $0) }
    }
}

/// An HTTP status (RFC 9110 section 15).
public struct Status: Equatable, Sendable {
    /// The three-digit code.
    public let code: Int
    /// The code and the reason phrase, such as `404 Not Found`.
    public let line: String

    private init(code: Int, reason: String) {
        self.code = code
        line = "\(code) \(reason)"
    }

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
    static let unsupportedMediaType = Status(code: 415, reason: "Unsupported Media Type")
    static let rangeNotSatisfiable = Status(code: 416, reason: "Range Not Satisfiable")
    static let internalServerError = Status(code: 500, reason: "Internal Server Error")
    static let serviceUnavailable = Status(code: 503, reason: "Service Unavailable")
    static let insufficientStorage = Status(code: 507, reason: "Insufficient Storage")

    /// The codes of all statuses that the service answers.
    public static let codes = [
        ok, created, partialContent, notModified, badRequest, forbidden, notFound, methodNotAllowed, lengthRequired,
        preconditionFailed, contentTooLarge, unsupportedMediaType, rangeNotSatisfiable, internalServerError,
        serviceUnavailable, insufficientStorage,
    ].map(\.code)
}

/// The answer to a request that the service rejects or can't serve.
struct Refusal: Error {
    let status: Status
    let message: String
    let headers: [(String, String)]

    init(_ status: Status, _ message: String, headers: [(String, String)] = []) {
        self.status = status
        self.message = message
        self.headers = headers
    }

    /// Makes a refusal with status 400.
    static func badRequest(_ message: String) -> Refusal {
        Refusal(.badRequest, message)
    }
}
