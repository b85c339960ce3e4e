import Foundation

/// An HTTP/2 connection over TLS (RFC 9113) on which a test can send frames that no client library would.
///
/// `openssl s_client` handles TLS, and its output has what the server sends. No property changes after `init`.
package final class HTTP2Connection: @unchecked Sendable {
    package enum FrameType: UInt8 {
        case data, headers, priority, resetStream, settings, pushPromise, ping, goAway, windowUpdate, continuation
    }

    package struct Frame {
        /// `nil` for an extension's type.
        package let type: FrameType?
        package let flags: UInt8
        package let stream: UInt32
        package let payload: [UInt8]
    }

    package enum Outcome: Equatable {
        case answered(Int)
        case reset
        case closed
    }

    package static let endStream: UInt8 = 1
    package static let endHeaders: UInt8 = 4

    private let client: ChildProcess
    private let input: Int32

    package init(_ socketPath: String, in folder: TemporaryFolder) throws {
        var ends: [Int32] = [0, 0]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw POSIXError(.init(rawValue: errno) ?? .EIO)
        }
        let command = "exec openssl s_client -quiet -alpn h2 -servername localhost -unix \"$0\" 2>/dev/null"
        client = try ChildProcess(
            "sh",
            ["-c", command, socketPath],
            standardInput: ends[1],
            log: folder.file("http2-\(UUID().uuidString)")
        )
        input = ends[0]
        close(ends[1])
        try send(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + Self.frame(.settings))
    }

    deinit { close(input) }

    // MARK: Sending

    package static func frame(
        _ type: FrameType,
        flags: UInt8 = 0,
        stream: UInt32 = 0,
        _ payload: [UInt8] = []
    ) -> [UInt8] {
        let length = payload.count
        let head = [UInt8(length >> 16), UInt8(length >> 8 & 255), UInt8(length & 255), type.rawValue, flags]
        return head + (0..<4).map { UInt8(stream >> (24 - 8 * $0) & 255) } + payload
    }

    /// A header field as a literal without indexing (RFC 7541 section 6.2.2).
    package static func field(_ name: String, _ value: String) -> [UInt8] {
        [0] + literal(Array(name.utf8)) + literal(Array(value.utf8))
    }

    package static func literal(_ bytes: [UInt8]) -> [UInt8] { integer(bytes.count, 127) + bytes }

    /// An integer with a prefix of `limit` (RFC 7541 section 5.1).
    package static func integer(_ value: Int, _ limit: UInt8) -> [UInt8] {
        guard value >= Int(limit) else { return [UInt8(value)] }
        var (encoded, rest) = ([limit], value - Int(limit))
        while rest >= 128 {
            encoded.append(UInt8(rest % 128 + 128))
            rest /= 128
        }
        return encoded + [UInt8(rest)]
    }

    package static func head(_ method: String, _ target: String, _ fields: [(String, String)] = []) -> [UInt8] {
        let line = [(":method", method), (":scheme", "https"), (":path", target), (":authority", "localhost")]
        return (line + fields).flatMap { field($0, $1) }
    }

    /// Sends bytes; the server may have closed the connection.
    package func send(_ bytes: [UInt8]) throws {
        sendWhatIsTaken(bytes, to: input)
    }

    // MARK: Receiving

    package var isClosed: Bool { !client.isRunning }

    /// All frames received until now.
    package var frames: [Frame] {
        var rest = ((try? contents(of: client.logPath)) ?? [])[...]
        var frames: [Frame] = []
        while rest.count >= 9 {
            let head = Array(rest.prefix(9))
            let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
            guard rest.count >= 9 + length else { break }
            let stream = head[5...8].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7FFF_FFFF
            let payload = Array(rest.dropFirst(9).prefix(length))
            frames.append(Frame(type: FrameType(rawValue: head[3]), flags: head[4], stream: stream, payload: payload))
            rest = rest.dropFirst(9 + length)
        }
        return frames
    }

    package func outcome(ofStream stream: UInt32 = 1) throws -> Outcome {
        var outcome = Outcome.closed
        try eventually("stream \(stream) ends") {
            let isClosed = isClosed
            let mine = frames.filter { $0.stream == stream }
            if let head = mine.first(where: { $0.type == .headers }), let status = Self.status(head.payload) {
                outcome = .answered(status)
                return true
            }
            outcome = mine.contains { $0.type == .resetStream } ? .reset : .closed
            return isClosed || outcome == .reset
        }
        return outcome
    }

    /// The status at the start of an answer's fields, as nginx encodes it: from the static table, or in three digits.
    private static func status(_ block: [UInt8]) -> Int? {
        // A change of the table's size may precede it.
        let block = block.drop { $0 & 0xE0 == 0x20 }
        guard let first = block.first else { return nil }
        let indexed = [0x88: 200, 0x89: 204, 0x8A: 206, 0x8B: 304, 0x8C: 400, 0x8D: 404, 0x8E: 500]
        return indexed[Int(first)] ?? Int(String(decoding: block.dropFirst(2).prefix(3), as: UTF8.self))
    }
}
