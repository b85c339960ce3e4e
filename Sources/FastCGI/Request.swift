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

    private let request: UnsafeMutablePointer<FCGX_Request>
    private let isUnixSocket: Bool
    /// Bytes of the answer so far.
    private var written = 0
    /// What libfcgi keeps before it sends the first of it: a buffer of 8192 bytes, less some heads.
    private static let surelyUnsent = 8000

    /// Takes over a connected socket, and reads the parameters of the request on it.
    ///
    /// - Throws: ``FastCGIError`` when what comes is no FastCGI request, or does not come in time. The socket is closed
    ///   then.
    init(connection: Int32) throws(FastCGIError) {
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
    public func readBody(into buffer: UnsafeMutableRawBufferPointer) throws(FastCGIError) -> Int {
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
    public func write(_ bytes: UnsafeRawBufferPointer) throws(FastCGIError) {
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

    /// Ends the answer and closes the connection, also where the web server asked to keep it (`FCGI_KEEP_CONN`): an
    /// idle kept connection would hold this thread.
    ///
    /// libfcgi would wait, up to two seconds, until the web server has closed the connection: closed with something
    /// unread, a TCP connection loses the answer's end. A unix socket on which nothing is left to read needs no wait, and
    /// the thread is free for the next request.
    func finish() {
        if isUnixSocket, hasReadEverything { FCGX_Detach(request) }
        request.pointee.keepConnection = 0
        FCGX_Finish_r(request)
    }

    private var hasReadEverything: Bool {
        var byte: UInt8 = 0
        return recv(request.pointee.ipcFd, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) < 0
            && errno == EAGAIN
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
            FastCGIError(action, errno: Errno(rawValue: code))
        default:
            FastCGIError("\(action): the web server closed the connection or broke the protocol (libfcgi code \(code))")
        }
    }
}
