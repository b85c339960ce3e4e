import CExpat

/// Why a document is not the XML that an S3 engine writes.
struct XMLError: Error, Equatable {
    let description: String
}

/// Reads a small XML document. Calls `ended` at the end of each element inside the root, with the names of its
/// ancestors below the root and its own name, and with the text after its last child.
///
/// Refuses a document type, and with it any entities that a document defines, and also more levels and longer texts
/// than answers have. The caller limits the document's size. Characters that XML can't represent are read as U+FFFD
/// (``XMLCharacters``).
///
/// - Throws: `XMLError`, also if the root has another name.
func readXML(
    _ document: [UInt8],
    root: String,
    _ ended: (_ path: ArraySlice<String>, _ text: [UInt8]) -> Void
) throws {
    try withoutActuallyEscaping(ended) { ended in
        let reader = try XMLReader(root, ended)
        // expat holds an unretained reference.
        try withExtendedLifetime(reader) { try reader.read(XMLCharacters.replaced(in: document)) }
    }
}

/// The state that expat's callbacks share.
private final class XMLReader {
    static let deepest = 16
    static let longestText = 64 * 1024

    let parser: XML_Parser
    let root: String
    let ended: (ArraySlice<String>, [UInt8]) -> Void
    var path: [String] = []
    var text: [UInt8] = []
    var failure: XMLError?

    init(_ root: String, _ ended: @escaping (ArraySlice<String>, [UInt8]) -> Void) throws {
        // `nil` selects the encoding that the document names. expat converts each one it knows to UTF-8.
        guard let parser = XML_ParserCreate(nil) else { throw XMLError(description: "no memory for a parser") }
        self.parser = parser
        self.root = root
        self.ended = ended
        connect()
    }

    deinit { XML_ParserFree(parser) }

    func read(_ document: [UInt8]) throws {
        let status = document.withUnsafeBytes { bytes in
            XML_Parse(parser, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(bytes.count), 1)
        }
        if let failure { throw failure }
        if status == XML_STATUS_OK { return }
        let message = XML_ErrorString(XML_GetErrorCode(parser)).map { String(cString: $0) } ?? "not well-formed"
        throw XMLError(description: "XML: \(message)")
    }

    /// Stops the parser. Some callbacks may still follow (XML_StopParser in expat.h).
    func stop(_ reason: String) {
        guard failure == nil else { return }
        failure = XMLError(description: "XML: \(reason)")
        XML_StopParser(parser, XML_Bool(XML_FALSE))
    }

    func start(_ name: String) {
        guard failure == nil else { return }
        guard path.count < Self.deepest else { return stop("over 16 levels") }
        guard !path.isEmpty || name == root else { return stop("<\(name)>, expected <\(root)>") }
        path.append(name)
        text.removeAll(keepingCapacity: true)
    }

    func append(_ piece: UnsafeRawBufferPointer) {
        guard failure == nil else { return }
        guard text.count + piece.count <= Self.longestText else { return stop("a text of over 64 KiB") }
        text += piece
    }

    func end() {
        guard failure == nil else { return }
        if path.count > 1 { ended(path.dropFirst(), text) }
        path.removeLast()
        text.removeAll(keepingCapacity: true)
    }

    func connect() {
        XML_SetUserData(parser, Unmanaged.passUnretained(self).toOpaque())
        XML_SetStartDoctypeDeclHandler(parser) { context, _, _, _, _ in
            XMLReader.of(context)?.stop("a document type")
        }
        XML_SetElementHandler(
            parser,
            { context, name, _ in
                if let name { XMLReader.of(context)?.start(String(cString: name)) }
            },
            { context, _ in XMLReader.of(context)?.end() }
        )
        XML_SetCharacterDataHandler(parser) { context, piece, count in
            XMLReader.of(context)?.append(UnsafeRawBufferPointer(start: piece, count: Int(count)))
        }
    }

    private static func of(_ context: UnsafeMutableRawPointer?) -> XMLReader? {
        context.map { Unmanaged<XMLReader>.fromOpaque($0).takeUnretainedValue() }
    }
}
