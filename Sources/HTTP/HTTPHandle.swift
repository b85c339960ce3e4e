import CCurl
import Glibc

/// One easy handle of libcurl, with its kept connections.
///
/// "You must never share the same handle in multiple threads" (libcurl-thread(3)), which means at the same time. So
/// each request has a handle to itself (``HTTPConnections``).
final class HTTPHandle: @unchecked Sendable {
    private let handle: UnsafeMutableRawPointer
    private let message = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))

    private static let started: CURLcode = curl_start()

    init() throws {
        guard Self.started == CURLE_OK, let handle = curl_easy_init() else {
            message.deallocate()
            throw TransportError(.unavailable, "libcurl failed to start")
        }
        self.handle = handle
    }

    deinit {
        curl_easy_cleanup(handle)
        message.deallocate()
    }

    /// Sends a request, and waits for the whole answer.
    ///
    /// - Throws: the error of a callback, unchanged, or `TransportError`.
    func perform(_ request: HTTPRequest, _ limits: RequestLimits, _ exchange: Exchange) throws {
        var headers: UnsafeMutablePointer<curl_slist>?
        defer { curl_slist_free_all(headers) }
        // This runs before the headers are freed, and keeps the connections.
        defer { curl_easy_reset(handle) }
        for line in try lines(request) {
            guard let longer = curl_slist_append(headers, line) else { throw TransportError(CURLE_OUT_OF_MEMORY) }
            headers = longer
        }
        message.pointee = 0
        try configure(limits)
        try set(request)
        try set(CURLOPT_HTTPHEADER, headers)
        let code = withExtendedLifetime(exchange) {
            connect(exchange)
            return curl_easy_perform(handle)
        }
        if let failure = exchange.failure { throw failure }
        if code == CURLE_OK || exchange.hasEnough {
            // libcurl treats the end of a connection as the end of the head.
            guard exchange.head.isComplete else {
                throw TransportError(.cutOff, "the answer ended before the end of its headers", mayPass: true)
            }
            return
        }
        var error = TransportError(code, String(cString: message))
        error.head = exchange.head
        throw error
    }

    /// The largest body, in bytes, that is sent without waiting for the server's `100 Continue`.
    static let longestUnasked: UInt64 = 1024 * 1024

    private func lines(_ request: HTTPRequest) throws -> [String] {
        var lines: [String] = []
        for (name, value) in request.headers {
            // This also prevents a value from adding another header.
            guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
                throw TransportError(.unavailable, "the header \(name) contains a control character")
            }
            lines.append("\(name): \(value)")
        }
        // By default, libcurl sends `Expect: 100-continue`, and waits a second for servers that ignore it.
        if request.body.size <= Self.longestUnasked { lines.append("Expect:") }
        return lines
    }

    private func configure(_ limits: RequestLimits) throws {
        try set(CURLOPT_ERRORBUFFER, message)
        // A signal could interrupt any thread (libcurl-thread(3)).
        try set(CURLOPT_NOSIGNAL, 1)
        // The path is signed as it is: libcurl must keep ".", ".." and double slashes.
        try set(CURLOPT_PATH_AS_IS, 1)
        try set(CURLOPT_FOLLOWLOCATION, 0)
        try set(CURLOPT_PROTOCOLS_STR, "http,https")
        try set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        try set(CURLOPT_HTTP09_ALLOWED, 0)
        try set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        try set(CURLOPT_TCP_KEEPALIVE, 1)
        try set(CURLOPT_CONNECTTIMEOUT_MS, limits.connectTimeout.milliseconds)
        try set(CURLOPT_LOW_SPEED_LIMIT, 1)
        try set(CURLOPT_LOW_SPEED_TIME, max(1, limits.stallTime.milliseconds / 1000))
        if let total = limits.total { try set(CURLOPT_TIMEOUT_MS, total.milliseconds) }
        try set(CURLOPT_UPLOAD_BUFFERSIZE, 512 * 1024)
        // libcurl refuses this while it keeps a failed request's buffer, which already has this size.
        curl_set_number(handle, CURLOPT_BUFFERSIZE, 128 * 1024)
        try set(CURLOPT_USERAGENT, "large-payload-service")
        if let authorities = limits.authorities { try set(CURLOPT_CAINFO, authorities) }
    }

    private func set(_ request: HTTPRequest) throws {
        try set(CURLOPT_URL, request.url)
        if !request.usesProxies { try set(CURLOPT_NOPROXY, "*") }
        switch request.method {
        case "GET": try set(CURLOPT_HTTPGET, 1)
        case "HEAD": try set(CURLOPT_NOBODY, 1)
        case "DELETE": try set(CURLOPT_CUSTOMREQUEST, request.method)
        default:
            // This sends a length even for an empty body.
            try set(CURLOPT_UPLOAD, 1)
            try set(CURLOPT_CUSTOMREQUEST, request.method)
            try check(curl_set_size(handle, CURLOPT_INFILESIZE_LARGE, curl_off_t(clamping: request.body.size)))
        }
    }

    private func connect(_ exchange: Exchange) {
        let context = Unmanaged.passUnretained(exchange).toOpaque()
        for option in [CURLOPT_HEADERDATA, CURLOPT_WRITEDATA, CURLOPT_READDATA, CURLOPT_SEEKDATA] {
            curl_set_pointer(handle, option, context)
        }
        curl_set_piece_callback(handle, CURLOPT_HEADERFUNCTION) { line, _, count, context in
            Exchange.of(context)?.takeLine(UnsafeRawBufferPointer(start: line, count: count)) ?? 0
        }
        curl_set_piece_callback(handle, CURLOPT_WRITEFUNCTION) { piece, _, count, context in
            Exchange.of(context)?.takePiece(UnsafeRawBufferPointer(start: piece, count: count)) ?? 0
        }
        curl_set_piece_callback(handle, CURLOPT_READFUNCTION) { buffer, size, count, context in
            Exchange.of(context)?.give(UnsafeMutableRawBufferPointer(start: buffer, count: size * count))
                ?? Int(CURL_READFUNC_ABORT)
        }
        curl_set_position_callback(handle, CURLOPT_SEEKFUNCTION) { context, offset, origin in
            guard let exchange = Exchange.of(context), origin == SEEK_SET else { return CURL_SEEKFUNC_CANTSEEK }
            return exchange.seek(offset) ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL
        }
    }

    private func set(_ option: CURLoption, _ value: Int) throws { try check(curl_set_number(handle, option, value)) }

    private func set(_ option: CURLoption, _ value: String) throws { try check(curl_set_text(handle, option, value)) }

    private func set(_ option: CURLoption, _ value: UnsafeMutableRawPointer?) throws {
        try check(curl_set_pointer(handle, option, value))
    }

    private func check(_ result: CURLcode) throws {
        if result != CURLE_OK { throw TransportError(result) }
    }
}

extension Duration {
    package var milliseconds: Int {
        Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000)
    }
}
