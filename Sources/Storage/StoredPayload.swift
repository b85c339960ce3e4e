import PayloadKey

/// A payload of a store, open for reading. On disk it stays readable for the life of this value, even after its key is
/// deleted.
public typealias StoredPayload = any PayloadContent

/// An open payload, wherever it is stored.
public protocol PayloadContent: Sendable {
    /// The payload's length in bytes.
    var size: UInt64 { get }
    /// The payload's name in errors.
    var name: String { get }

    /// Passes `range` of the payload to `take`, piece by piece.
    ///
    /// - Throws: ``StoreError`` if the payload can't be read or ends early, or what `take` throws.
    func read(_ range: Range<UInt64>, _ take: (UnsafeRawBufferPointer) throws -> Void) throws
}

/// A payload that the web server can send by itself, wherever it is stored. It is not open: it may be
/// deleted before the web server opens it.
public protocol PayloadLocation: Sendable {
    /// The payload's length in bytes.
    var size: UInt64 { get }

    /// The redirect with which the web server can send the payload by itself.
    ///
    /// - Parameter isRange: whether the client requested a range.
    /// - Throws: ``StoreError`` if the store can't create the redirect.
    func redirect(isRange: Bool) throws -> InternalRedirect
}

extension PayloadContent {
    /// Reads the whole payload and verifies its digest.
    ///
    /// - Parameter onPiece: called for each piece; an error it throws ends the read.
    /// - Throws: ``StoreError`` with code `damaged` if the digest differs, or what `onPiece` throws.
    public func check(_ digest: Digest, onPiece: () throws -> Void = {}) throws {
        let actual = try self.digest { _ in try onPiece() }
        guard actual == digest else {
            throw StoreError(.damaged, "\(name) is damaged: its content has digest \(actual)")
        }
    }

    /// Reads the whole content and computes its digest.
    ///
    /// - Parameter onPiece: called with the number of bytes in each piece; an error it throws ends the read.
    package func digest(onPiece: (_ bytes: Int) throws -> Void) throws -> Digest {
        var hasher = DigestHasher()
        try read(0..<size) { piece in
            try onPiece(piece.count)
            hasher.update(piece)
        }
        return hasher.finalize()
    }
}

/// An instruction to the web server to send a payload by itself (`X-Accel-Redirect` of nginx).
public struct InternalRedirect: Sendable {
    /// A path below the web server's internal location, without a leading slash, not percent-encoded.
    public let path: String
    /// Header fields for the web server, which no client sees.
    public let headers: [(name: String, value: String)]

    /// Redirects to a path.
    package init(_ path: String, headers: [(name: String, value: String)] = []) {
        self.path = path
        self.headers = headers
    }
}
