import CCurl

/// Why a request got no whole answer.
struct TransportError: Error, CustomStringConvertible {
    /// What callers of the client are told.
    let code: S3Error.Code
    /// Whether another try may help: not against a certificate that is not trusted, or an option that libcurl lacks.
    let mayPass: Bool
    /// One line, without headers, query and bodies.
    let description: String
    /// What came before.
    var head = AnswerHead()

    init(_ code: S3Error.Code, _ description: String, mayPass: Bool = false) {
        self.code = code
        self.description = description
        self.mayPass = mayPass
    }

    /// - Parameter detail: what libcurl says of this case; may be empty.
    init(_ result: CURLcode, _ detail: String = "") {
        let description = detail.isEmpty ? String(cString: curl_easy_strerror(result)) : detail
        switch result {
        case CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT, CURLE_OPERATION_TIMEDOUT,
            CURLE_SSL_CONNECT_ERROR, CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_OUT_OF_MEMORY,
            CURLE_PROXY, CURLE_AGAIN:
            self.init(.unavailable, description, mayPass: true)
        case CURLE_PARTIAL_FILE: self.init(.cutOff, description, mayPass: true)
        case CURLE_WEIRD_SERVER_REPLY, CURLE_UNSUPPORTED_PROTOCOL, CURLE_BAD_CONTENT_ENCODING:
            self.init(.malformedAnswer, description)
        default: self.init(.unavailable, description)
        }
    }
}
