import PayloadKey

/// A payload of a store, open for reading. On disk it stays readable while this value lives, also when its key is deleted.
public typealias StoredPayload = any PayloadContent

/// What a payload is read from.
public protocol PayloadContent: Sendable {
    /// The payload's length in bytes.
    var size: UInt64 { get }
    /// What it is called in an error.
    var name: String { get }

    /// Hands `range` of the payload to `take`, piece by piece.
    ///
    /// - Throws: ``StoreError`` when it can't be read or ends early, or what `take` throws.
    func read(_ range: Range<UInt64>, _ take: (UnsafeRawBufferPointer) throws -> Void) throws

    /// How a web server can send the payload by itself.
    ///
    /// - Parameter isRange: whether its client has asked for a part of it.
    /// - Throws: ``StoreError``.
    func redirect(isRange: Bool) throws -> InternalRedirect
}

extension PayloadContent {
    /// Reads the whole payload and makes sure that it is what was stored.
    ///
    /// - Parameter onPiece: called with each piece; what it throws ends the reading.
    /// - Throws: ``StoreError`` with code `damaged` when its digest is another one, or what `onPiece` throws.
    public func check(_ digest: Digest, onPiece: () throws -> Void = {}) throws {
        let actual = try self.digest { _ in try onPiece() }
        guard actual == digest else {
            throw StoreError(.damaged, "\(name) is damaged: its content has digest \(actual)")
        }
    }

    /// Reads the whole content for its digest.
    ///
    /// - Parameter onPiece: called with the bytes of each piece; what it throws ends the reading.
    package func digest(onPiece: (_ bytes: Int) throws -> Void) throws -> Digest {
        var hasher = DigestHasher()
        try read(0..<size) { piece in
            try onPiece(piece.count)
            hasher.update(piece)
        }
        return hasher.finalize()
    }
}

/// What a web server is told, to send a payload by itself.
public struct InternalRedirect: Sendable {
    /// A path below the web server's internal location, without a slash at its start, not percent-encoded.
    public let path: String
    /// Header fields for the web server, which no client sees.
    public let headers: [(name: String, value: String)]

    /// Redirects to a path.
    package init(_ path: String, headers: [(name: String, value: String)] = []) {
        self.path = path
        self.headers = headers
    }
}
