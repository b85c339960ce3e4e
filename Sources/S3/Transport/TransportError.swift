import CCurl

/// Why a request got no whole answer.
struct TransportError: Error {
    /// How it ended, as far as callers tell it apart.
    enum Kind {
        /// It may be otherwise a moment later.
        case unavailable
        /// The answer ended before its end.
        case cutOff
        /// What answers does not speak HTTP.
        case malformed
        /// Another try is useless: a certificate that is not trusted, an option that libcurl lacks.
        case permanent
    }

    let kind: Kind
    /// One line, without headers, query and bodies.
    let description: String
    /// What came before.
    var head = AnswerHead()

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }

    /// - Parameter detail: what libcurl says of this case; may be empty.
    init(_ code: CURLcode, _ detail: String) {
        let text = String(cString: curl_easy_strerror(code))
        description = detail.isEmpty ? text : detail
        kind =
            switch code {
            case CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT,
                CURLE_OPERATION_TIMEDOUT, CURLE_SSL_CONNECT_ERROR, CURLE_GOT_NOTHING, CURLE_SEND_ERROR,
                CURLE_RECV_ERROR, CURLE_OUT_OF_MEMORY, CURLE_PROXY, CURLE_AGAIN:
                .unavailable
            case CURLE_PARTIAL_FILE: .cutOff
            case CURLE_WEIRD_SERVER_REPLY, CURLE_UNSUPPORTED_PROTOCOL, CURLE_BAD_CONTENT_ENCODING: .malformed
            default: .permanent
            }
    }
}
