import FastCGI
import Logging
import PayloadService
import Storage

/// Translates FastCGI requests into the service's requests, and the service's responses into FastCGI answers.
final class Gateway: Sendable {
    private let store: any PayloadStorage
    private let recorder: RequestRecorder
    private let logger: Logger
    private let current: Current<Configured>

    init(_ settings: Settings, store: any PayloadStorage, recorder: RequestRecorder, logger: Logger) {
        self.store = store
        self.recorder = recorder
        self.logger = logger
        current = Current(Configured(settings, store, logger))
    }

    /// Uses other settings for all requests that start from now on.
    func use(_ settings: Settings) {
        current.value = Configured(settings, store, logger)
    }

    func serve(_ request: Request, _ thread: Int) {
        let configured = current.value
        let call = ServiceRequest(request)
        let id = request.parameters.requestID
        let context = RequestContext.current
        context.requestID = id
        defer { context.requestID = nil }
        let trace = RequestTrace(id: id, timeout: configured.settings.requestTimeout.value)
        recorder.begin(call, trace, thread)
        let response = answer(call, to: request, by: configured.service, trace)
        trace.finish()
        recorder.end(
            call,
            trace,
            status: response.status.code,
            configured.settings.accessFormat.value,
            slowAfter: configured.settings.slowLogAfter.value
        )
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
        switch response.body {
        case .empty:
            try writeHead(of: response, to: request)
            try request.write("\r\n")
        case .bytes(let bytes):
            try writeHead(of: response, length: bytes.count, to: request)
            try request.write(bytes)
        case .produced(let length, let produce):
            // Held back until the first piece has been read: if that fails, the status must say so.
            var isHeldBack = true
            do {
                try produce { piece in
                    if isHeldBack {
                        isHeldBack = false
                        try writeHead(of: response, length: length, to: request)
                    }
                    trace.sending()
                    try request.write(piece)
                }
            } catch  where isHeldBack {
                throw NothingSent(error: error)
            }
            if isHeldBack { try writeHead(of: response, length: length, to: request) }
        }
    }

    private func writeHead(of response: ServiceResponse, length: some BinaryInteger, to request: Request) throws {
        try writeHead(of: response, to: request)
        try request.write("Content-Length: ")
        try request.write("\(length)")
        try request.write("\r\n\r\n")
    }

    /// Writes status and header fields. libfcgi joins the pieces.
    private func writeHead(of response: ServiceResponse, to request: Request) throws {
        try request.write("Status: ")
        try request.write(response.status.line)
        try request.write("\r\n")
        try request.write(response.fieldLines)
    }
}

/// The service as settings configure it. An object, because a request that copied all settings would take longer.
private final class Configured: Sendable {
    let service: PayloadService
    let settings: Settings

    init(_ settings: Settings, _ store: any PayloadStorage, _ logger: Logger) {
        self.settings = settings
        service = PayloadService(
            store: store,
            maximumPayload: settings.maxPayload.value,
            codec: CodecLimits(
                minimumSize: settings.codecMinSize.value,
                displayLimit: settings.codecDisplayLimit.value,
                answerLimit: settings.codecAnswerLimit.value
            ),
            next: settings.codecNext.value.map(NextCodecServer.init),
            logger: logger
        )
    }
}

/// Reading an answer's content failed before any byte of the answer was sent.
private struct NothingSent: Error {
    let error: any Error
}

extension Parameters {
    /// A parameter's value; `nil` if it is empty, as nginx passes an absent header field unless told not to.
    fileprivate func present(_ name: StaticString) -> ArraySlice<UInt8>? {
        self[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The path: what RFC 3875 divides between the script and what follows it.
    fileprivate var path: ArraySlice<UInt8> {
        let script = self["SCRIPT_NAME"] ?? []
        guard let rest = present("PATH_INFO") else { return script }
        return script + rest
    }

    /// The web server's id for the request; `nil` unless it is up to 64 printable ASCII characters without spaces.
    fileprivate var requestID: ArraySlice<UInt8>? {
        guard let id = present("LPS_REQUEST_ID"), id.count <= 64, id.allSatisfy({ (0x21...0x7E).contains($0) })
        else { return nil }
        return id
    }
}

extension ServiceRequest {
    /// Reads the parameters of RFC 3875 section 4.1, and those that our nginx files set (`REQUEST_BODY_FILE`, `LPS_…`).
    /// Clients can't set these: their header fields arrive as `HTTP_…`.
    fileprivate init(_ request: Request) {
        let parameters = request.parameters
        var headers = Headers()
        headers.contentType = parameters.present("CONTENT_TYPE")
        headers.contentLength = parameters.present("CONTENT_LENGTH")
        headers.temporalMetadata = parameters.present("HTTP_X_TEMPORAL_METADATA")
        headers.expectedContentLength = parameters.present("HTTP_X_PAYLOAD_EXPECTED_CONTENT_LENGTH")
        headers.namespace = parameters.present("HTTP_X_NAMESPACE")
        headers.contentEncoding = parameters.present("HTTP_CONTENT_ENCODING")
        headers.authorization = parameters.present("HTTP_AUTHORIZATION")
        headers.authorizationExtras = parameters.present("HTTP_AUTHORIZATION_EXTRAS")
        headers.cookie = parameters.present("HTTP_COOKIE")
        headers.ifMatch = parameters.present("HTTP_IF_MATCH")
        headers.ifNoneMatch = parameters.present("HTTP_IF_NONE_MATCH")
        headers.ifRange = parameters.present("HTTP_IF_RANGE")
        headers.range = parameters.present("HTTP_RANGE")
        self.init(
            method: parameters["REQUEST_METHOD"] ?? [],
            path: parameters.path,
            query: parameters["QUERY_STRING"] ?? [],
            headers: headers,
            body: parameters.present("REQUEST_BODY_FILE").map(Body.file)
                ?? .stream { try request.readBody(into: $0) },
            delivery: parameters.present("LPS_ACCEL_PREFIX").map(Delivery.redirect) ?? .stream,
            // An empty list differs from an absent one: it allows no namespace.
            allowedNamespaces: parameters["LPS_ALLOWED_NAMESPACES"],
            readableNamespaces: parameters.present("LPS_READABLE_NAMESPACES"),
            codecPrefix: parameters.present("LPS_CODEC_PREFIX")
        )
    }
}
