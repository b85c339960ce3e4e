import FastCGI
import Logging
import PayloadService
import Storage

/// Translates FastCGI requests into the service's requests, and the service's responses into FastCGI answers.
final class Gateway: Sendable {
    private let service: @Sendable (Settings) -> PayloadService
    private let recorder: RequestRecorder
    private let logger: Logger
    private let current: Current<(service: PayloadService, settings: Settings)>

    init(_ settings: Settings, store: any PayloadStorage, recorder: RequestRecorder, logger: Logger) {
        service = { settings in
            PayloadService(
                store: store,
                maximumPayload: settings.maxPayload.value,
                codec: CodecLimits(
                    minimumSize: settings.codecMinSize.value,
                    displayLimit: settings.codecDisplayLimit.value,
                    answerLimit: settings.codecAnswerLimit.value
                ),
                logger: logger
            )
        }
        self.recorder = recorder
        self.logger = logger
        current = Current((service(settings), settings))
    }

    /// Uses other settings for all requests that start from now on.
    func use(_ settings: Settings) {
        current.value = (service(settings), settings)
    }

    func serve(_ request: Request, _ thread: Int) {
        let (service, settings) = current.value
        let call = ServiceRequest(request)
        let id = request.requestID
        RequestContext.$requestID.withValue(id) {
            let trace = RequestTrace(id: id.map { Array($0.utf8)[...] }, timeout: settings.requestTimeout.value)
            recorder.begin(call, trace, thread)
            let response = answer(call, to: request, by: service, trace)
            trace.finish()
            recorder.end(call, trace, status: response.status.code, settings)
        }
    }

    private func answer(
        _ call: ServiceRequest,
        to request: Request,
        by service: PayloadService,
        _ trace: RequestTrace
    ) -> ServiceResponse {
        var response = service.respond(to: call, trace)
        do {
            do {
                try write(response, to: request, trace)
            } catch let failure as NothingSent {
                response = service.respond(to: call, failedWith: failure.error, trace)
                try write(response, to: request, trace)
            }
        } catch {
            // The status line is sent: the client must notice that the rest is missing.
            let isGone = error is FastCGIError
            request.abort(isReading: !isGone)
            logger.log(level: isGone ? .info : .error, "answer cut off", metadata: ["error": "\(error)"])
        }
        return response
    }

    /// - Throws: ``NothingSent`` if another answer can still be sent.
    private func write(_ response: ServiceResponse, to request: Request, _ trace: RequestTrace) throws {
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
            head += "Content-Length: \(length)\r\n\r\n"
            // Held back until the first piece has been read: if that fails, the status must say so.
            var isHeldBack = true
            do {
                try produce { piece in
                    if isHeldBack {
                        isHeldBack = false
                        try request.write(text: head)
                    }
                    trace.sending()
                    try request.write(piece)
                }
            } catch  where isHeldBack {
                throw NothingSent(error: error)
            }
            if isHeldBack { try request.write(text: head) }
        }
    }
}

/// Reading an answer's content failed before any byte of the answer was sent.
private struct NothingSent: Error {
    let error: any Error
}

extension Request {
    fileprivate func write(text: String) throws {
        try Array(text.utf8).withUnsafeBytes { try write($0) }
    }

    /// A parameter's value; `nil` if it is empty, because nginx passes an absent header field as an empty parameter.
    fileprivate func presentParameter(_ name: String) -> [UInt8]? {
        parameter(name).flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The web server's id for the request; `nil` unless it is up to 64 printable ASCII characters without spaces.
    fileprivate var requestID: String? {
        guard let id = presentParameter("LPS_REQUEST_ID"), id.count <= 64, id.allSatisfy({ (0x21...0x7E).contains($0) })
        else { return nil }
        return String(decoding: id, as: UTF8.self)
    }
}

extension ServiceRequest {
    /// Reads the parameters of RFC 3875 section 4.1, and those that our nginx files set (`REQUEST_BODY_FILE`, `LPS_…`).
    /// Clients can't set these: their header fields arrive as `HTTP_…`.
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
            // An empty list differs from an absent one: it allows no namespace.
            allowedNamespaces: request.parameter("LPS_ALLOWED_NAMESPACES"),
            codecPrefix: request.presentParameter("LPS_CODEC_PREFIX")
        )
    }
}
