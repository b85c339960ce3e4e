import CCurl

/// The state that libcurl's callbacks share during one request. No callback outlives it.
package final class Exchange {
    /// Whether the receiver wants more of the body.
    package enum Reception {
        case goOn
        /// Ignores the rest and closes the connection.
        case enough
    }

    let body: RequestBody
    /// Called before each piece of the body is sent.
    let onPiece: () throws -> Void
    /// Receives each piece of the answer's body.
    let receive: (AnswerHead, UnsafeRawBufferPointer) throws -> Reception
    private(set) var head = AnswerHead()
    /// The error with which a callback ended the request.
    private(set) var failure: (any Error)?
    private(set) var hasEnough = false
    private var position: UInt64 = 0
    private var hasBody = false

    init(
        body: RequestBody,
        onPiece: @escaping () throws -> Void,
        receive: @escaping (AnswerHead, UnsafeRawBufferPointer) throws -> Reception
    ) {
        self.body = body
        self.onPiece = onPiece
        self.receive = receive
    }

    /// The exchange in a callback's context.
    static func of(_ context: UnsafeMutableRawPointer?) -> Exchange? {
        context.map { Unmanaged<Exchange>.fromOpaque($0).takeUnretainedValue() }
    }

    /// Adds a line of the answer's head. Returning another count than the line's makes libcurl end the request.
    func takeLine(_ line: UnsafeRawBufferPointer) -> Int {
        // Lines after the body are trailers, which are ignored.
        if hasBody { return line.count }
        guard head.take(line) else {
            failure = TransportError(.malformedAnswer, "the answer's headers exceed 64 KiB, or number over 256")
            return 0
        }
        return line.count
    }

    /// Passes a piece of the answer's body on. Returning another count than the piece's makes libcurl end the request.
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

    /// Copies the next piece of the request's body into libcurl's buffer.
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

    /// Moves to a position, so that libcurl can send the body again after a kept connection has ended, or after `417`.
    func seek(_ offset: curl_off_t) -> Bool {
        guard offset >= 0, UInt64(offset) <= body.size else { return false }
        position = UInt64(offset)
        return true
    }
}
