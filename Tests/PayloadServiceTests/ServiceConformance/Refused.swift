import Testing

/// A change to a good request, and the refusal it causes.
struct Refused: Sendable {
    let what: String
    let status: Int
    /// As in ``expectRefusal(_:_:_:_:sourceLocation:)``.
    let message: String
    let change: @Sendable (inout Asked) -> Void

    init(_ what: String, _ status: Int, _ message: String, _ change: @escaping @Sendable (inout Asked) -> Void) {
        self.what = what
        self.status = status
        self.message = message
        self.change = change
    }
}

extension ServiceFixture {
    /// Expects a table row's refusal of a request.
    func expect(_ refused: Refused, _ asked: Asked, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let answer = try ask(asked)
        expectRefusal(answer, refused.status, refused.message, refused.what, sourceLocation: sourceLocation)
    }
}

/// Expects a refusal in the wire contract's form: a status and one line of text that cannot be cached.
///
/// - Parameter message: the line, or its beginning followed by `…`.
func expectRefusal(
    _ answer: Answer,
    _ status: Int,
    _ message: String,
    _ what: String = "",
    sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(answer.status == status, "\(what): \(answer.text.prefix(300))", sourceLocation: sourceLocation)
    #expect(answer.headers["Content-Type"] == "text/plain; charset=utf-8", "\(what)", sourceLocation: sourceLocation)
    let caching = [answer.headers["Cache-Control"], answer.headers["X-LPS-Cache-Control"]]
    #expect(caching == [nil, nil], "\(what)", sourceLocation: sourceLocation)
    let isOneLine = !answer.body.isEmpty && !answer.body.contains { $0 < 0x20 || $0 == 0x7F }
    #expect(isOneLine, "\(what): \(answer.text)", sourceLocation: sourceLocation)
    if message.hasSuffix("…") {
        #expect(answer.text.hasPrefix(message.dropLast()), "\(what): \(answer.text)", sourceLocation: sourceLocation)
    } else {
        #expect(answer.text == message, "\(what)", sourceLocation: sourceLocation)
    }
}
