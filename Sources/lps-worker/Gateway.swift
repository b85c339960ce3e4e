import FastCGI
import Logging
import PayloadService
import Scoreboard
import Synchronization

/// Makes a service's request of a FastCGI request's parameters, and an answer in CGI's form of the service's response;
/// and tells of it to the scoreboard and the logs.
final class Gateway: Sendable {
    private let service: @Sendable (Configuration.Settings) -> PayloadService
    private let scoreboard: Scoreboard
    private let threads: [ThreadActivity]
    private let accessLog: LogFile?
    private let logger: Logger
    private let current: Mutex<(service: PayloadService, settings: Configuration.Settings)>

    /// - Parameter service: makes the service that the settings ask for.
    init(
        _ settings: Configuration.Settings,
        scoreboard: Scoreboard,
        threads: Int,
        accessLog: LogFile?,
        logger: Logger,
        service: @escaping @Sendable (Configuration.Settings) -> PayloadService
    ) {
        self.service = service
        self.scoreboard = scoreboard
        self.threads = (0..<threads).map { ThreadActivity(scoreboard.row($0)) }
        self.accessLog = accessLog
        self.logger = logger
        current = Mutex((service(settings), settings))
    }

    /// Takes other settings for the requests that come from now on.
    func use(_ settings: Configuration.Settings) {
        let service = service(settings)
        current.withLock { $0 = (service, settings) }
    }

    func accepted(_ thread: Int) { threads[thread].accepted() }
    func closed(_ thread: Int) { threads[thread].closed() }

    func serve(_ request: Request, _ thread: Int) {
        let (service, settings) = current.withLock { $0 }
        let call = ServiceRequest(request)
        let id = request.requestID
        RequestContext.$requestID.withValue(id) {
            let trace = RequestTrace(id: id, timeout: settings.requestTimeout)
            watch(trace, call, threads[thread])
            let response = answer(call, to: request, by: service, trace)
            trace.finish()
            tell(call, trace, status: response.status.code, settings)
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
            // Where the status line is out, the client must see that the rest is missing.
            let isGone = error is FastCGIError
            request.abort(isReading: !isGone)
            logger.log(level: isGone ? .info : .error, "an answer was cut off", metadata: ["error": "\(error)"])
        }
        return response
    }

    private func watch(_ trace: RequestTrace, _ call: ServiceRequest, _ thread: ThreadActivity) {
        var subject = RequestSubject(
            method: String(decoding: call.method, as: UTF8.self),
            path: String(decoding: call.path, as: UTF8.self),
            id: trace.id ?? ""
        )
        thread.turn(to: .checking, subject)
        trace.onPiece = { thread.advanced() }
        trace.onPhase = { [unowned trace, scoreboard] ended, took in
            subject.learn(from: trace)
            thread.turn(to: Activity(trace.phase), subject)
            switch ended {
            case .hashing: scoreboard.add(took, to: PoolCounter.hash)
            case .committing: scoreboard.add(took, to: PoolCounter.commit)
            case .checking, .parsing, .answering: break
            }
        }
    }

    private func tell(
        _ call: ServiceRequest,
        _ trace: RequestTrace,
        status: Int,
        _ settings: Configuration.Settings
    ) {
        scoreboard.count(trace, status: status)
        if trace.isTimedOut { scoreboard.add(to: .timeouts) }
        accessLog?.write(settings.accessFormat.line(call, trace, status: status))
        guard let limit = settings.slowLogAfter, trace.age > limit else { return }
        scoreboard.add(to: .slow)
        var details: Logger.Metadata = [
            "endpoint": "\(trace.endpoint.rawValue)", "status": "\(status)",
            "duration": "\(AccessFormat.seconds(trace.age))", "bytes_in": "\(trace.bytesIn)",
            "bytes_out": "\(trace.bytesOut)",
        ]
        for (phase, duration) in trace.durations { details[phase.rawValue] = "\(AccessFormat.seconds(duration))" }
        if let namespace = trace.namespace { details["namespace"] = "\(namespace)" }
        if let digest = trace.digest { details["digest"] = "\(digest)" }
        logger.warning("slow request", metadata: details)
    }

    /// - Throws: ``NothingSent`` when there is still time for another answer.
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
            // Held back until the first piece is there: whether that can be read, the status has to tell.
            var isHeldBack = true
            do {
                try produce { piece in
                    if isHeldBack {
                        isHeldBack = false
                        try request.write(text: head)
                    }
                    trace.onPiece()
                    try request.write(piece)
                }
            } catch  where isHeldBack {
                throw NothingSent(error: error)
            }
            if isHeldBack { try request.write(text: head) }
        }
    }
}

/// The content of an answer failed before anything of the answer was sent.
private struct NothingSent: Error {
    let error: any Error
}

extension Request {
    fileprivate func write(text: String) throws {
        try Array(text.utf8).withUnsafeBytes { try write($0) }
    }

    /// A parameter that counts as absent when it is empty: nginx passes those of absent header fields so.
    fileprivate func presentParameter(_ name: String) -> [UInt8]? {
        parameter(name).flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The web server's name for the request; anything but a short word counts as none.
    fileprivate var requestID: String? {
        guard let id = presentParameter("LPS_REQUEST_ID"), id.count <= 64, id.allSatisfy({ (0x21...0x7E).contains($0) })
        else { return nil }
        return String(decoding: id, as: UTF8.self)
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
