import TestSupport
import Testing

/// The payload of most tests.
let helloWorld = Array("hello world".utf8)
let helloWorldDigest = Stack.digest(helloWorld)

/// Expects an error in the wire contract's form: a status and one line of text.
func expectError(
    _ answer: HTTPAnswer,
    _ status: Int,
    _ message: String?,
    _ what: String,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(answer.status == status, "\(what)", sourceLocation: sourceLocation)
    #expect(answer.headers["content-type"] == "text/plain; charset=utf-8", "\(what)", sourceLocation: sourceLocation)
    if let message { #expect(answer.text == message, "\(what)", sourceLocation: sourceLocation) }
    let isOneLine = !answer.text.isEmpty && !answer.text.contains("\n") && !answer.text.contains("<")
    #expect(isOneLine, "\(what): \(answer.text)", sourceLocation: sourceLocation)
}
