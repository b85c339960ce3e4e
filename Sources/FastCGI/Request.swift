import CFastCGI
import Glibc
import SystemPackage

/// A FastCGI request of the web server, on its own connection.
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

    private let request: UnsafeMutablePointer<FCGX_Request>
    private let isUnixSocket: Bool
    private let lingeringTime: timeval
    /// Bytes of the answer written so far.
    private var written = 0
    /// Bytes of an answer that libfcgi buffers before it sends any: 8192, minus room for record headers.
    private static let surelyUnsent = 8000

    /// Takes ownership of a connected socket, and reads the request's parameters from it.
    ///
    /// - Parameter lingeringTime: how long ``finish()`` reads the rest of a body, in seconds.
    /// - Throws: ``FastCGIError`` if no valid FastCGI request arrives in time; the socket is closed then.
    init(connection: Int32, lingeringTime: Int = Request.lingeringTime) throws {
        self.lingeringTime = timeval(tv_sec: lingeringTime, tv_usec: 0)
        request = .allocate(capacity: 1)
        // No listening socket: after a malformed request, FCGX_Accept_r would wait for the next one there.
        FCGX_InitRequest(request, -1, 0)
        request.pointee.ipcFd = connection
        // FCGX_Accept_r first finishes the previous request, which would close the connection.
        request.pointee.keepConnection = 1
        var on: Int32 = 1
        // Fails for a unix socket, which has no such delay (tcp(7)).
        let size = socklen_t(MemoryLayout.size(ofValue: on))
        isUnixSocket = setsockopt(connection, Int32(IPPROTO_TCP), TCP_NODELAY, &on, size) != 0
        Self.setTimeout(Self.parameterTimeout, on: connection)
        guard FCGX_Accept_r(request) == 0 else {
            // FCGX_Accept_r has closed the socket. All properties are set, so deinit runs.
            throw FastCGIError("read the parameters of a request")
        }
        Self.setTimeout(Self.bodyTimeout, on: connection)
    }

    deinit {
        request.deallocate()
    }

    private static func setTimeout(_ timeout: timeval, on socket: Int32) {
        var timeout = timeout
        let size = socklen_t(MemoryLayout.size(ofValue: timeout))
        // These fail only if the descriptor is not a socket (socket(7)); then the first read fails, too.
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, size)
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &timeout, size)
    }

    /// Returns a parameter's value, up to a NUL byte; `nil` if the web server did not pass it.
    public func parameter(_ name: String) -> [UInt8]? {
        guard let value = FCGX_GetParam(name, request.pointee.envp) else { return nil }
        return Array(UnsafeRawBufferPointer(start: value, count: strlen(value)))
    }

    /// Reads the next bytes of the body.
    ///
    /// - Returns: the number of bytes written to `buffer`; zero at the body's end.
    /// - Throws: ``FastCGIError`` if the web server disconnected or timed out.
    public func readBody(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
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
    }

    /// Reads and discards the rest of the body for up to ``lingeringTime``, like nginx's `lingering_close`.
    ///
    /// A web server that forwards a body while it arrives has not sent all of it when the worker refuses the request. If the
    /// worker closed the connection now, the web server's next write would fail, and Apache's mod_proxy_fcgi would answer 503
    /// instead of the refusal. The refusal has been sent by now, so the web server can stop at once.
    private func readRest() {
        guard let body = request.pointee.in, FCGX_HasSeenEOF(body) == 0 else { return }
        // For a peer that waits for the end of the answer before it closes the connection.
        shutdown(request.pointee.ipcFd, Int32(SHUT_WR))
        Self.setTimeout(lingeringTime, on: request.pointee.ipcFd)
        let end = ContinuousClock.now + .seconds(lingeringTime.tv_sec)
        var isOver = false
        // Discard libfcgi's buffer, then the bytes of one read(2) at a time: FCGX_GetStr would wait for a full buffer.
        while !isOver, FCGX_GetChar(body) >= 0 {
            body.pointee.rdNext = body.pointee.stop
            isOver = ContinuousClock.now >= end
        }
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
