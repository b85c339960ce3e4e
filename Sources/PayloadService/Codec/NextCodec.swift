import PayloadKey
import Storage

/// Another codec server with the same protocol, such as one that encrypts. Ours passes payloads through it, as they were
/// before ours encoded them.
public protocol NextCodec: Sendable {
    /// The server's URL as configured, for messages: it contains no credentials.
    var url: String { get }

    /// Whether the URL contains the namespace.
    var needsNamespace: Bool { get }

    /// Sends a request, and waits for the whole answer. Follows no redirects.
    ///
    /// - Parameters:
    ///   - onPiece: called before each piece of the request or the answer.
    ///   - take: receives the answer's status and each piece of its body, and returns whether it wants more.
    /// - Returns: the answer's status.
    /// - Throws: ``NextCodecError`` if there is no complete answer, or the error of a closure.
    func send(
        _ request: NextCodecRequest,
        onPiece: () throws -> Void,
        _ take: (_ status: Int, UnsafeRawBufferPointer) throws -> Bool
    ) throws -> Int
}

/// A request to the next codec server.
public struct NextCodecRequest {
    /// What the server does with the payloads.
    public enum Operation: String, Sendable {
        case encode, decode
    }

    /// What to do with the payloads.
    public let operation: Operation
    /// The JSON of the payloads.
    public let body: Upload
    /// The namespace that replaces `{namespace}` in the URL.
    public let namespace: Namespace?
    /// `X-Namespace`, and the header fields with the caller's credentials.
    public let headers: [(name: String, value: String)]
    /// When to stop waiting; `nil` means never.
    public let deadline: ContinuousClock.Instant?
}

/// The next codec server gave no usable answer. A later request may get one.
public struct NextCodecError: Error, CustomStringConvertible {
    /// The reason in one line, without credentials. May contain text of the server.
    public let description: String

    /// Makes an error with a reason.
    public init(_ description: String) { self.description = description }
}
