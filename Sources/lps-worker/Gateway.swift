import FastCGI
import Logging
import PayloadService

/// Makes a service's request of a FastCGI request's parameters, and an answer in CGI's form of the service's response.
struct Gateway: Sendable {
    let service: PayloadService
    let logger: Logger

    func serve(_ request: Request) {
        let response = service.respond(to: ServiceRequest(request))
        do {
            try write(response, to: request)
        } catch {
            // The status line is out: the client must see that the rest is missing.
            request.abort()
            let isGone = error is FastCGIError
            logger.log(level: isGone ? .info : .error, "an answer was cut off", metadata: ["error": "\(error)"])
        }
    }

    private func write(_ response: ServiceResponse, to request: Request) throws {
        var head = "Status: \(response.status.code) \(response.status.reason)\r\n"
        for header in response.headers {
            head += "\(header.name): \(header.value)\r\n"
        }
        switch response.body {
        case .empty:
            try request.write(text: head + "\r\n")
        case .bytes(let bytes):
            try request.write(text: head + "Content-Length: \(bytes.count)\r\n\r\n")
            try bytes.withUnsafeBytes { try request.write($0) }
        case .produced(let length, let produce):
            try request.write(text: head + "Content-Length: \(length)\r\n\r\n")
            try produce { try request.write($0) }
        }
    }
}

extension Request {
    fileprivate func write(text: String) throws {
        try Array(text.utf8).withUnsafeBytes { try write($0) }
    }

    /// A parameter that counts as absent when it is empty: nginx passes those of absent header fields so.
    fileprivate func presentParameter(_ name: String) -> [UInt8]? {
        parameter(name).flatMap { $0.isEmpty ? nil : $0 }
    }
}

extension ServiceRequest {
    /// Reads the parameters of RFC 3875 section 4.1, and those of our own nginx files (`REQUEST_BODY_FILE`, `LPS_…`). A
    /// client's header fields come as `HTTP_…`, so no client can pass one of these.
    fileprivate init(_ request: Request) {
        var headers = Headers()
        headers.contentType = request.presentParameter("CONTENT_TYPE")
        headers.contentLength = request.presentParameter("CONTENT_LENGTH")
        headers.temporalMetadata = request.presentParameter("HTTP_X_TEMPORAL_METADATA")
        headers.expectedContentLength = request.presentParameter("HTTP_X_PAYLOAD_EXPECTED_CONTENT_LENGTH")
        headers.namespace = request.presentParameter("HTTP_X_NAMESPACE")
        headers.ifMatch = request.presentParameter("HTTP_IF_MATCH")
        headers.ifNoneMatch = request.presentParameter("HTTP_IF_NONE_MATCH")
        headers.ifRange = request.presentParameter("HTTP_IF_RANGE")
        headers.range = request.presentParameter("HTTP_RANGE")
        self.init(
            method: request.parameter("REQUEST_METHOD") ?? [],
            path: (request.parameter("SCRIPT_NAME") ?? []) + (request.parameter("PATH_INFO") ?? []),
            query: request.parameter("QUERY_STRING") ?? [],
            headers: headers,
            body: request.presentParameter("REQUEST_BODY_FILE").map(Body.file)
                ?? .stream { try request.readBody(into: $0) },
            delivery: request.presentParameter("LPS_ACCEL_PREFIX").map(Delivery.redirect) ?? .stream,
            // Empty is not absent: it allows nothing.
            allowedNamespaces: request.parameter("LPS_ALLOWED_NAMESPACES"),
            codecPrefix: request.presentParameter("LPS_CODEC_PREFIX")
        )
    }
}
