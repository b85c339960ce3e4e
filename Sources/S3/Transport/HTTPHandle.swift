import CCurl
import Glibc

/// One easy handle of libcurl, with the connections that it keeps.
///
/// "You must never share the same handle in multiple threads" (libcurl-thread(3)): ``ofThread(_:)`` gives each thread
/// its own.
final class HTTPHandle {
    private let handle: UnsafeMutableRawPointer
    private let message = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
    private var isBusy = false

    private static let started: CURLcode = curl_start()

    private init() throws(TransportError) {
        guard Self.started == CURLE_OK, let handle = curl_easy_init() else {
            message.deallocate()
            throw TransportError(.permanent, "libcurl does not start")
        }
        self.handle = handle
    }

    deinit {
        curl_easy_cleanup(handle)
        message.deallocate()
    }

    /// Makes a request.
    ///
    /// - Throws: what a callback of the exchange threw, unchanged, or `TransportError`.
    static func perform(_ request: HTTPRequest, _ limits: S3Limits, _ exchange: Exchange) throws {
        let handle = try ofThread()
        // A callback of a request may make another one.
        try (handle.isBusy ? HTTPHandle() : handle).perform(request, limits, exchange)
    }

    private func perform(_ request: HTTPRequest, _ limits: S3Limits, _ exchange: Exchange) throws {
        isBusy = true
        defer { isBusy = false }
        var headers: UnsafeMutablePointer<curl_slist>?
        defer { curl_slist_free_all(headers) }
        // Before the headers are freed; connections are kept.
        defer { curl_easy_reset(handle) }
        for line in try lines(request) {
            guard let longer = curl_slist_append(headers, line) else { throw TransportError(CURLE_OUT_OF_MEMORY, "") }
            headers = longer
        }
        message.pointee = 0
        try configure(limits)
        try set(request)
        try check(curl_set_pointer(handle, CURLOPT_HTTPHEADER, headers))
        let code = withExtendedLifetime(exchange) {
            connect(exchange)
            return curl_easy_perform(handle)
        }
        if let failure = exchange.failure { throw failure }
        if code == CURLE_OK || exchange.hasEnough {
            // libcurl takes the end of a connection for that of the head.
            guard exchange.head.isComplete else { throw TransportError(.cutOff, "the answer ended within its head") }
            return
        }
        var error = TransportError(code, String(cString: message))
        error.head = exchange.head
        throw error
    }

    /// Bodies up to this are sent without waiting for the server to want them.
    static let longestUnasked: UInt64 = 1024 * 1024

    private func lines(_ request: HTTPRequest) throws -> [String] {
        var lines: [String] = []
        for (name, value) in request.headers {
            // Also keeps a value from becoming a header of its own.
            guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
                throw TransportError(.permanent, "the header \(name) would have a control character")
            }
            lines.append("\(name): \(value)")
        }
        // libcurl would send `Expect: 100-continue` with any, and wait a second where that is not known.
        if request.body.size <= Self.longestUnasked { lines.append("Expect:") }
        return lines
    }

    private func configure(_ limits: S3Limits) throws {
        try check(curl_set_pointer(handle, CURLOPT_ERRORBUFFER, message))
        // Signals would go to any thread (libcurl-thread(3)).
        try check(curl_set_number(handle, CURLOPT_NOSIGNAL, 1))
        // Signed as they are: neither "." and ".." nor double slashes may be touched.
        try check(curl_set_number(handle, CURLOPT_PATH_AS_IS, 1))
        try check(curl_set_number(handle, CURLOPT_FOLLOWLOCATION, 0))
        try check(curl_set_text(handle, CURLOPT_PROTOCOLS_STR, "http,https"))
        try check(curl_set_number(handle, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1)))
        try check(curl_set_number(handle, CURLOPT_HTTP09_ALLOWED, 0))
        try check(curl_set_number(handle, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1))
        try check(curl_set_number(handle, CURLOPT_TCP_KEEPALIVE, 1))
        try check(curl_set_number(handle, CURLOPT_CONNECTTIMEOUT_MS, limits.connectTimeout.milliseconds))
        try check(curl_set_number(handle, CURLOPT_LOW_SPEED_LIMIT, 1))
        try check(curl_set_number(handle, CURLOPT_LOW_SPEED_TIME, max(1, limits.stallTime.milliseconds / 1000)))
        if let total = limits.total { try check(curl_set_number(handle, CURLOPT_TIMEOUT_MS, total.milliseconds)) }
        try check(curl_set_number(handle, CURLOPT_UPLOAD_BUFFERSIZE, 512 * 1024))
        // Refused where a failed request has left its buffer, which is of this size.
        curl_set_number(handle, CURLOPT_BUFFERSIZE, 128 * 1024)
        try check(curl_set_text(handle, CURLOPT_USERAGENT, "large-payload-service"))
        if let authorities = limits.authorities ?? Self.authorities {
            try check(curl_set_text(handle, CURLOPT_CAINFO, authorities))
        }
    }

    private static let authorities = authorities { getenv($0).map { String(cString: $0) } }

    /// A file of trusted authorities in place of the system's. libcurl itself reads none of these variables.
    static func authorities(_ environment: (String) -> String?) -> String? {
        for variable in ["AWS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"] {
            if let file = environment(variable), !file.isEmpty { return file }
        }
        return nil
    }

    private func set(_ request: HTTPRequest) throws {
        try check(curl_set_text(handle, CURLOPT_URL, request.url))
        if !request.usesProxies { try check(curl_set_text(handle, CURLOPT_NOPROXY, "*")) }
        switch request.method {
        case "GET": try check(curl_set_number(handle, CURLOPT_HTTPGET, 1))
        case "HEAD": try check(curl_set_number(handle, CURLOPT_NOBODY, 1))
        case "DELETE": try check(curl_set_text(handle, CURLOPT_CUSTOMREQUEST, request.method))
        default:
            // With a length also where there is nothing to send.
            try check(curl_set_number(handle, CURLOPT_UPLOAD, 1))
            try check(curl_set_text(handle, CURLOPT_CUSTOMREQUEST, request.method))
            guard let size = curl_off_t(exactly: request.body.size) else {
                throw TransportError(.permanent, "a body of \(request.body.size) bytes")
            }
            try check(curl_set_size(handle, CURLOPT_INFILESIZE_LARGE, size))
        }
    }

    private func connect(_ exchange: Exchange) {
        let context = Unmanaged.passUnretained(exchange).toOpaque()
        for option in [CURLOPT_HEADERDATA, CURLOPT_WRITEDATA, CURLOPT_READDATA, CURLOPT_SEEKDATA] {
            curl_set_pointer(handle, option, context)
        }
        curl_set_piece_callback(handle, CURLOPT_HEADERFUNCTION) { line, _, count, context in
            guard let context else { return 0 }
            return Unmanaged<Exchange>.fromOpaque(context).takeUnretainedValue()
                .takeLine(UnsafeRawBufferPointer(start: line, count: count))
        }
        curl_set_piece_callback(handle, CURLOPT_WRITEFUNCTION) { piece, _, count, context in
            guard let context else { return 0 }
            return Unmanaged<Exchange>.fromOpaque(context).takeUnretainedValue()
                .takePiece(UnsafeRawBufferPointer(start: piece, count: count))
        }
        curl_set_piece_callback(handle, CURLOPT_READFUNCTION) { buffer, size, count, context in
            guard let context else { return Int(CURL_READFUNC_ABORT) }
            return Unmanaged<Exchange>.fromOpaque(context).takeUnretainedValue()
                .give(UnsafeMutableRawBufferPointer(start: buffer, count: size * count))
        }
        curl_set_position_callback(handle, CURLOPT_SEEKFUNCTION) { context, offset, origin in
            guard let context, origin == SEEK_SET else { return CURL_SEEKFUNC_CANTSEEK }
            let exchange = Unmanaged<Exchange>.fromOpaque(context).takeUnretainedValue()
            return exchange.seek(offset) ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL
        }
    }

    private func check(_ code: CURLcode) throws {
        if code != CURLE_OK { throw TransportError(code, "") }
    }
}

extension HTTPHandle {
    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        let status = pthread_key_create(&key) { handle in
            if let handle { Unmanaged<HTTPHandle>.fromOpaque(handle).release() }
        }
        precondition(status == 0, "no key for data of threads: \(status)")
        return key
    }()

    /// The calling thread's handle, which ends with it.
    private static func ofThread() throws(TransportError) -> HTTPHandle {
        if let handle = pthread_getspecific(key) {
            return Unmanaged<HTTPHandle>.fromOpaque(handle).takeUnretainedValue()
        }
        let handle = try HTTPHandle()
        let retained = Unmanaged.passRetained(handle)
        guard pthread_setspecific(key, retained.toOpaque()) == 0 else {
            retained.release()
            return handle
        }
        return handle
    }
}

extension Duration {
    var milliseconds: Int {
        Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000)
    }
}
