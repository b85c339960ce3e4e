import Encoding
import PayloadKey

@testable import PayloadService

/// Tests JSON, references and base64: a text gives the same result in one piece and byte by byte, and written values
/// parse to themselves.
func fuzzJSON(_ text: [UInt8]) {
    var whole = JSONReader(text)
    var pieces = JSONReader { offset in offset < text.count ? [text[offset]] : [] }
    let wholeError = syntaxError { try skipAll(&whole) }
    precondition(wholeError == syntaxError { try skipAll(&pieces) })
    precondition(whole.offset == pieces.offset && whole.offset <= text.count)

    if let reference = try? PayloadReference(parsing: text) {
        guard let again = try? PayloadReference(parsing: Array(reference.json.utf8)) else {
            preconditionFailure("written JSON was not parsed")
        }
        precondition(again == reference)
    }
    if let bytes = Base64Decoder.decode(text) {
        precondition(Base64Decoder.decode(Array(StandardBase64.encode(bytes).utf8)) == bytes)
    }
}

private func skipAll(_ reader: inout JSONReader) throws {
    try reader.skipWhitespace()
    try reader.skip()
    try reader.end()
}

private func syntaxError(_ body: () throws -> Void) -> JSONSyntaxError? {
    do {
        try body()
        return nil
    } catch {
        return error as? JSONSyntaxError
    }
}
