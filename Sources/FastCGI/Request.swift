import CFastCGI
import Glibc
import SystemPackage

/// A FastCGI request of the web server, on its own connection. A thread reads all its requests into one object, one after the
/// other.
///
/// Wraps an `FCGX_Request`, which needs a stable address. Only the thread that made the request may use it, so it is not
/// `Sendable`: libfcgi's `_r` functions are safe on several threads if each has its own request (fcgiapp.h).
public final class Request {
    /// The longest pause between two packets of a request's parameters, which web servers send at once.
    static let parameterTimeout = timeval(tv_sec: 10, tv_usec: 0)
    /// The longest pause between two pieces of a body or an answer: longer than nginx's 60 s, so that nginx times out first.
    static let bodyTimeout = timeval(tv_sec: 75, tv_usec: 0)
    /// How long to read and discard the rest of a body, and its longest pause, in seconds: nginx's `lingering_time`.
    public static let lingeringTime = 30

    /// The request's parameters.
    public private(set) var parameters = Parameters()

    private let request: UnsafeMutablePointer<FCGX_Request>
    private let lingeringTime: timeval
    private var isUnixSocket = true
    private var hasReadBody = false
    private var hasAnswerTimeout = false
    /// Bytes of the answer written so far.
    private var written = 0
    /// Bytes of an answer that libfcgi buffers before it sends any: 8192, minus room for record headers.
    private static let surelyUnsent = 8000

    /// - Parameter lingeringTime: how long ``finish()`` reads the rest of a body, in seconds.
    init(lingeringTime: Int = Request.lingeringTime) {
        self.lingeringTime = timeval(tv_sec: lingeringTime, tv_usec: 0)
        request = .allocate(capacity: 1)
    }

    deinit {
        request.deallocate()
    }

    /// Takes ownership of a connection, and reads a request's parameters from it. The previous request must be finished.
    ///
    /// - Throws: ``FastCGIError`` if no valid FastCGI request arrives in time; the connection is closed then.
    func begin(on connection: Connection) throws {
        isUnixSocket = connection.isUnixSocket
        hasReadBody = false
        hasAnswerTimeout = false
        written = 0
        // No listening socket: after a malformed request, FCGX_Accept_r would wait for the next one there.
        FCGX_InitRequest(request, -1, 0)
        request.pointee.ipcFd = connection.descriptor
        // FCGX_Accept_r first finishes the previous request, which would close the connection.
        request.pointee.keepConnection = 1
        // A unix socket has no such delay (tcp(7)).
        if !isUnixSocket { setOption(Int32(IPPROTO_TCP), TCP_NODELAY, Int32(1)) }
        setOption(SOL_SOCKET, SO_RCVTIMEO, Self.parameterTimeout)
        guard FCGX_Accept_r(request) == 0 else {
            // FCGX_Accept_r has closed the socket.
            throw FastCGIError("read the parameters of a request")
        }
        parameters = Parameters(copying: request.pointee.envp)
    }

    private func setOption<Value>(_ level: Int32, _ option: Int32, _ value: Value) {
        // This fails only if the descriptor is not a socket (socket(7)); then the first read fails, too.
        withUnsafeBytes(of: value) { bytes in
            _ = setsockopt(request.pointee.ipcFd, level, option, bytes.baseAddress, socklen_t(bytes.count))
        }
    }

    /// Reads the next bytes of the body.
    ///
    /// - Returns: the number of bytes written to `buffer`; zero at the body's end.
    /// - Throws: ``FastCGIError`` if the web server disconnected or timed out.
    public func readBody(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        if !hasReadBody {
            setOption(SOL_SOCKET, SO_RCVTIMEO, Self.bodyTimeout)
            hasReadBody = true
        }
        let start = buffer.bindMemory(to: CChar.self).baseAddress
        let count = FCGX_GetStr(start, Int32(clamping: buffer.count), request.pointee.in)
        // Fewer bytes than requested mean the body's end or a broken stream; only the error code distinguishes them.
        let error = FCGX_GetError(request.pointee.in)
        guard error == 0 else { throw Self.error("read a request's body", error) }
        return Int(count)
    }

    /// Writes the next bytes of the answer: CGI header fields (RFC 3875 section 6), an empty line, the content.
    ///
    /// - Throws: ``FastCGIError`` if the web server disconnected or timed out.
    public func write(_ bytes: UnsafeRawBufferPointer) throws {
        // What libfcgi buffers also fits into the socket's buffer: sending it does not block.
        if !hasAnswerTimeout, written + bytes.count > Self.surelyUnsent {
            setOption(SOL_SOCKET, SO_SNDTIMEO, Self.bodyTimeout)
            hasAnswerTimeout = true
        }
        var rest = bytes
        while !rest.isEmpty {
            let count = min(rest.count, Int(Int32.max))
            let start = rest.bindMemory(to: CChar.self).baseAddress
            guard FCGX_PutStr(start, Int32(count), request.pointee.out) == count else {
                throw Self.error("write a request's answer", FCGX_GetError(request.pointee.out))
            }
            written += count
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    /// Writes bytes, as ``write(_:)-(UnsafeRawBufferPointer)`` does.
    public func write(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try write($0) }
    }

    /// Writes text, as ``write(_:)-(UnsafeRawBufferPointer)`` does.
    public func write(_ text: String) throws {
        var text = text
        try text.withUTF8 { try write(UnsafeRawBufferPointer($0)) }
    }

    /// Ends the answer, reads the rest of the body, and closes the connection even if the web server asked to keep it
    /// (`FCGI_KEEP_CONN`): an idle connection would occupy this thread.
    ///
    /// Closing a TCP connection with unread data can lose the answer's end. So libfcgi waits until the web server closes it, for
    /// up to two seconds of silence. A unix socket needs no wait once its request has been read to the end.
    func finish() {
        FCGX_FClose(request.pointee.err)
        FCGX_FClose(request.pointee.out)
        readRest()
        if isUnixSocket { FCGX_Detach(request) }
        request.pointee.keepConnection = 0
        FCGX_Finish_r(request)
        parameters = Parameters()
    }

    /// Reads and discards the rest of the body for up to ``lingeringTime``, like nginx's `lingering_close`.
    ///
    /// A web server that forwards a body while it arrives has not sent all of it when the worker refuses the request. If the
    /// worker closed the connection now, the web server's next write would fail, and Apache's mod_proxy_fcgi would answer 503
    /// instead of the refusal. The refusal has been sent by now, so the web server can stop at once.
    private func readRest() {
        guard let body = request.pointee.in, FCGX_HasSeenEOF(body) == 0, !hasReceivedEnd(of: body) else { return }
        // For a peer that waits for the end of the answer before it closes the connection.
        shutdown(request.pointee.ipcFd, Int32(SHUT_WR))
        setOption(SOL_SOCKET, SO_RCVTIMEO, lingeringTime)
        let end = ContinuousClock.now + .seconds(lingeringTime.tv_sec)
        var isOver = false
        // Discard libfcgi's buffer, then the bytes of one read(2) at a time: FCGX_GetStr would wait for a full buffer.
        while !isOver, FCGX_GetChar(body) >= 0 {
            body.pointee.rdNext = body.pointee.stop
            isOver = ContinuousClock.now >= end
        }
    }

    /// Whether libfcgi has already read the body's end: nginx sends that of an empty body together with the parameters. False
    /// if a part of the body has been read.
    ///
    /// Never blocks: without a descriptor, libfcgi can read only its buffer.
    private func hasReceivedEnd(of body: UnsafeMutablePointer<FCGX_Stream>) -> Bool {
        // The rewind below would return to the padding of a record that was read.
        guard !hasReadBody else { return false }
        let connection = request.pointee.ipcFd
        request.pointee.ipcFd = -1
        let byte = FCGX_GetChar(body)
        request.pointee.ipcFd = connection
        guard FCGX_GetError(body) == EBADF else { return byte < 0 }
        FCGX_ClearError(body)
        body.pointee.isClosed = 0
        // Return to the start of a header that has arrived only in part: libfcgi has consumed that part.
        body.pointee.rdNext = body.pointee.stop
        return false
    }

    /// Breaks the connection, so that the web server notices that the answer is incomplete.
    ///
    /// nginx treats an answer that merely ends as complete, whatever its announced length, and keeps its client waiting for the
    /// rest. So an answer that nginx may have a part of ends with an invalid record. If nginx has received nothing, it asks
    /// another worker.
    ///
    /// - Parameter isReading: whether the web server is still connected.
    public func abort(isReading: Bool) {
        if isReading, written > Self.surelyUnsent {
            // A record of version 0; only version 1 exists (FastCGI 1.0, section 3.3).
            let record = [UInt8](repeating: 0, count: 8)
            _ = send(request.pointee.ipcFd, record, record.count, Int32(MSG_NOSIGNAL))
        }
        shutdown(request.pointee.ipcFd, Int32(SHUT_RDWR))
    }

    /// Makes an error from a stream's code: an errno, or a negative code of libfcgi (fcgiapp.h).
    private static func error(_ action: String, _ code: Int32) -> FastCGIError {
        switch code {
        case EAGAIN:
            FastCGIError("\(action): the web server was silent for \(bodyTimeout.tv_sec) s")
        case 1...:
            FastCGIError("\(action): \(Errno(rawValue: code))")
        default:
            FastCGIError("\(action): the web server closed the connection or broke the protocol (libfcgi code \(code))")
        }
    }
}
