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
    /// - Parameter isRange: whether its client has asked for a part of it.
    /// - Throws: ``StoreError``.
    public func redirect(isRange: Bool) throws -> InternalRedirect { try content.redirect(isRange: isRange) }

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
    /// As ``StoredPayload/redirect(isRange:)``.
    func redirect(isRange: Bool) throws -> InternalRedirect
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
