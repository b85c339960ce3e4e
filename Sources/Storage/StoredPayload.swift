import PayloadKey

/// A payload of a store, open for reading. On disk it stays readable while this value lives, also when its key is deleted.
public struct StoredPayload: Sendable {
    private let content: any PayloadContent

    /// Makes a payload of what it is read from.
    public init(_ content: any PayloadContent) {
        self.content = content
    }

    /// The payload's length in bytes.
    public var size: UInt64 { content.size }

    /// How a web server can send the payload by itself.
    ///
    /// - Throws: ``StoreError``.
    public func handOver() throws(StoreError) -> HandOver { try content.handOver() }

    /// Hands `range` of the payload to `take`, piece by piece.
    ///
    /// - Throws: ``StoreError`` when it can't be read or ends early, or what `take` throws.
    public func read(_ range: Range<UInt64>, _ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        try content.read(range, take)
    }

    /// Reads the whole payload and makes sure that it is what was stored.
    ///
    /// - Parameter onPiece: called with each piece; what it throws ends the reading.
    /// - Throws: ``StoreError`` with code `damaged` when its digest is another one, or what `onPiece` throws.
    public func check(_ digest: Digest, onPiece: () throws -> Void = {}) throws {
        let actual = try content.digest(onPiece: onPiece)
        guard actual == digest else {
            throw StoreError(.damaged, "\(content.name) is damaged: its content has digest \(actual)")
        }
    }
}

/// What a payload is read from.
public protocol PayloadContent: Sendable {
    /// Bytes.
    var size: UInt64 { get }
    /// What it is called in an error.
    var name: String { get }
    /// As ``StoredPayload/read(_:_:)``.
    func read(_ range: Range<UInt64>, _ take: (UnsafeRawBufferPointer) throws -> Void) throws
    /// As ``StoredPayload/handOver()``.
    func handOver() throws(StoreError) -> HandOver
}

extension PayloadContent {
    /// Reads the whole content for its digest.
    ///
    /// - Parameter onPiece: called with each piece; what it throws ends the reading.
    package func digest(onPiece: () throws -> Void = {}) throws -> Digest {
        var hasher = DigestHasher()
        try read(0..<size) { piece in
            try onPiece()
            hasher.update(piece)
        }
        return hasher.finalize()
    }
}

/// What a web server is told, to send a payload by itself.
public enum HandOver: Sendable {
    /// The file at this path, relative to the store's root.
    case file(String)
    /// What an engine answers to a GET of this target (path and query, as they go on the wire) with these header fields,
    /// whose names are in lower case. Whoever has them can read the payload for some minutes. `no-cache` is not for the engine:
    /// the web server is not to keep what it reads.
    case request(target: String, headers: [(name: String, value: String)])
}
