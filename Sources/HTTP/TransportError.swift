import CCurl

/// Why a request got no complete answer.
package struct TransportError: Error, CustomStringConvertible {
    package enum Code: Sendable {
        /// No connection, no answer in time, or a failure on this side.
        case unavailable
        /// The answer ended early.
        case cutOff
        /// The answer is not one of HTTP.
        case malformedAnswer
    }

    /// The kind of failure.
    package let code: Code
    /// Whether a retry may help. It does not help against an untrusted certificate, or an option that libcurl lacks.
    package let mayPass: Bool
    /// The reason, in one line without headers, query and bodies.
    package let description: String
    /// The part of the answer's head that arrived before the failure.
    package var head = AnswerHead()

    package init(_ code: Code, _ description: String, mayPass: Bool = false) {
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
