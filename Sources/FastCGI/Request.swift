import CFastCGI
import Glibc
import SystemPackage

/// A request of the web server, from its parameters to the end of its answer, on a connection of its own.
///
/// Wraps an `FCGX_Request`, which needs a stable address for its life, and belongs to the thread that made it:
/// libfcgi's functions with `_r` are safe on several threads when each has its own request (fcgiapp.h). Hence not
/// `Sendable`.
public final class Request {
    /// How long the web server may take between two packets of a request's parameters; it sends them at once.
    static let parameterTimeout = timeval(tv_sec: 10, tv_usec: 0)
    /// How long it may take between two pieces of a body or an answer: more than nginx's own 60 s, so that nginx
    /// decides.
    static let bodyTimeout = timeval(tv_sec: 75, tv_usec: 0)
    /// How long a body is read that nobody wants, and how long it may be silent meanwhile: nginx's `lingering_time`.
    public static let lingeringTime = 30

    private let request: UnsafeMutablePointer<FCGX_Request>
    private let isUnixSocket: Bool
    private let lingeringTime: timeval
    /// Bytes of the answer so far.
    private var written = 0
    /// What libfcgi keeps before it sends the first of it: a buffer of 8192 bytes, less some heads.
    private static let surelyUnsent = 8000

    /// Takes over a connected socket, and reads the parameters of the request on it.
    ///
    /// - Parameter lingeringTime: how long ``finish()`` may read a body that nobody wants, in seconds.
    /// - Throws: ``FastCGIError`` when what comes is no FastCGI request, or does not come in time. The socket is closed
    ///   then.
    init(connection: Int32, lingeringTime: Int = Request.lingeringTime) throws {
        self.lingeringTime = timeval(tv_sec: lingeringTime, tv_usec: 0)
        request = .allocate(capacity: 1)
        // No listening socket: after a request that is not well formed, FCGX_Accept_r would wait for the next one
        // there.
        FCGX_InitRequest(request, -1, 0)
        request.pointee.ipcFd = connection
        // FCGX_Accept_r begins by finishing the request before, and would close the connection with it.
        request.pointee.keepConnection = 1
        var on: Int32 = 1
        // Fails for a unix socket, which delays nothing anyway (tcp(7)).
        let size = socklen_t(MemoryLayout.size(ofValue: on))
        isUnixSocket = setsockopt(connection, Int32(IPPROTO_TCP), TCP_NODELAY, &on, size) != 0
        Self.setTimeout(Self.parameterTimeout, on: connection)
        guard FCGX_Accept_r(request) == 0 else {
            // FCGX_Accept_r has closed the socket, and deinit runs: every property has its value.
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
        // These fail for what is no socket only (socket(7)), and then the first read says so.
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, size)
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &timeout, size)
    }

    /// The value of a parameter; `nil` when the web server did not pass it. Ends at a NUL byte, if it has one.
    public func parameter(_ name: String) -> [UInt8]? {
        guard let value = FCGX_GetParam(name, request.pointee.envp) else { return nil }
        return Array(UnsafeRawBufferPointer(start: value, count: strlen(value)))
    }

    /// Reads the next bytes of the body.
    ///
    /// - Returns: the number of bytes put into `buffer`; zero when the body has ended.
    /// - Throws: ``FastCGIError`` when the web server has gone, or sent nothing in time.
    public func readBody(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let start = buffer.bindMemory(to: CChar.self).baseAddress
        let count = FCGX_GetStr(start, Int32(clamping: buffer.count), request.pointee.in)
        // Fewer bytes than asked for mean the end of the body, or that the stream broke; only the error code tells
        // which.
        let error = FCGX_GetError(request.pointee.in)
        guard error == 0 else { throw Self.error("read a request's body", error) }
        return Int(count)
    }

    /// Writes the next bytes of the answer: header fields as CGI has them (RFC 3875 section 6), an empty line, the
    /// content.
    ///
    /// - Throws: ``FastCGIError`` when the web server has gone, or took nothing in time.
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

    /// Ends the answer, reads what is left of the body, and closes the connection, also where the web server asked to keep
    /// it (`FCGI_KEEP_CONN`): an idle kept connection would hold this thread.
    ///
    /// A TCP connection that is closed with something unread loses the answer's end. libfcgi waits until the web server has
    /// closed such a connection, for up to two seconds of silence. A unix socket whose request was read to its end needs no
    /// wait, and the thread is free for the next request.
    func finish() {
        FCGX_FClose(request.pointee.err)
        FCGX_FClose(request.pointee.out)
        readRest()
        if isUnixSocket { FCGX_Detach(request) }
        request.pointee.keepConnection = 0
        FCGX_Finish_r(request)
    }

    /// Reads the body to its end, and throws it away, for up to ``lingeringTime``.
    ///
    /// A web server that passes a body on as it comes has not sent all of it when a request is refused. If this side closed
    /// now, its next write would fail, and it would take that for the answer: Apache's mod_proxy_fcgi answers 503. The
    /// answer is out already, as with nginx's `lingering_close`, so that the web server may stop at once.
    private func readRest() {
        guard let body = request.pointee.in, FCGX_HasSeenEOF(body) == 0 else { return }
        // For a peer that waits for the connection's end before it goes itself.
        shutdown(request.pointee.ipcFd, Int32(SHUT_WR))
        Self.setTimeout(lingeringTime, on: request.pointee.ipcFd)
        let end = ContinuousClock.now + .seconds(lingeringTime.tv_sec)
        var isOver = false
        // What is in libfcgi's buffer, and then what one read(2) brings: FCGX_GetStr would wait until its own is full.
        while !isOver, FCGX_GetChar(body) >= 0 {
            body.pointee.rdNext = body.pointee.stop
            isOver = ContinuousClock.now >= end
        }
    }

    /// Breaks the connection, so that the web server sees that the answer is not whole.
    ///
    /// nginx takes an answer that merely ends for a whole one, whatever its length was to be, and keeps its client waiting
    /// for the rest. So what it has a part of ends with a record that is none. Of what it has nothing it asks another worker.
    ///
    /// - Parameter isReading: whether the web server is still there.
    public func abort(isReading: Bool) {
        if isReading, written > Self.surelyUnsent {
            // Version 0, where there is only 1 (FastCGI 1.0, section 3.3).
            let record = [UInt8](repeating: 0, count: 8)
            _ = send(request.pointee.ipcFd, record, record.count, Int32(MSG_NOSIGNAL))
        }
        shutdown(request.pointee.ipcFd, Int32(SHUT_RDWR))
    }

    /// Makes an error of a stream's code: an errno, or below zero one of libfcgi's own (fcgiapp.h).
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
