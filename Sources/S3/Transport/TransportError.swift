import CCurl

/// Why a request got no complete answer.
struct TransportError: Error, CustomStringConvertible {
    /// The code of the resulting ``S3Error``.
    let code: S3Error.Code
    /// Whether a retry may help. It does not help against an untrusted certificate, or an option that libcurl lacks.
    let mayPass: Bool
    /// The reason, in one line without headers, query and bodies.
    let description: String
    /// The part of the answer's head that arrived before the failure.
    var head = AnswerHead()

    init(_ code: S3Error.Code, _ description: String, mayPass: Bool = false) {
        self.code = code
        self.description = description
        self.mayPass = mayPass
    }

    /// - Parameter detail: libcurl's message for this case; may be empty.
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
