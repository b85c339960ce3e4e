import CCurl

/// What libcurl's callbacks work on during one request. None of them outlives it.
final class Exchange {
    /// Whether more of a body is wanted.
    enum Reception {
        case goOn
        /// The rest is left; the connection is closed for it.
        case enough
    }

    let body: S3Body
    /// Called for each piece of the body that is sent.
    let onPiece: () throws -> Void
    /// Takes each piece of the answer's body.
    let receive: (AnswerHead, UnsafeRawBufferPointer) throws -> Reception
    private(set) var head = AnswerHead()
    /// Why a callback has ended the request.
    private(set) var failure: (any Error)?
    private(set) var hasEnough = false
    private var position: UInt64 = 0
    private var hasBody = false

    init(
        body: S3Body,
        onPiece: @escaping () throws -> Void,
        receive: @escaping (AnswerHead, UnsafeRawBufferPointer) throws -> Reception
    ) {
        self.body = body
        self.onPiece = onPiece
        self.receive = receive
    }

    /// The exchange that a callback was given.
    static func of(_ context: UnsafeMutableRawPointer?) -> Exchange? {
        context.map { Unmanaged<Exchange>.fromOpaque($0).takeUnretainedValue() }
    }

    /// Takes a line of the answer's head. Another count than the line's ends the request.
    func takeLine(_ line: UnsafeRawBufferPointer) -> Int {
        // Trailers come after the body; what is decided is decided by then.
        if hasBody { return line.count }
        guard head.take(line) else {
            failure = TransportError(.malformedAnswer, "an answer with over 64 KiB or 256 headers")
            return 0
        }
        return line.count
    }

    /// Takes a piece of the answer's body. Another count than the piece's ends the request.
    func takePiece(_ piece: UnsafeRawBufferPointer) -> Int {
        hasBody = true
        do {
            if case .goOn = try receive(head, piece) { return piece.count }
            hasEnough = true
        } catch {
            failure = error
        }
        return 0
    }

    /// Gives the next piece of the request's body.
    func give(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        do {
            try onPiece()
            let count = try body.read(at: position, into: buffer)
            position += UInt64(count)
            return count
        } catch {
            failure = error
            return Int(CURL_READFUNC_ABORT)
        }
    }

    /// Goes back, for libcurl to send the body again when a connection that was kept has ended, or for `417`.
    func seek(_ offset: curl_off_t) -> Bool {
        guard offset >= 0, UInt64(offset) <= body.size else { return false }
        position = UInt64(offset)
        return true
    }
}
