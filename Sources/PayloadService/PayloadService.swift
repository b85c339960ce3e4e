import Encoding
import Logging
import Storage

/// The service: the three endpoints of the wire contract, the codec server, and two probes (`/lps/ping`, and `/lps/ready`,
/// which checks the store). Independent of the protocol that transports the requests.
public struct PayloadService: Sendable {
    /// The largest payload of the wire contract in bytes: 1 GiB.
    public static let defaultMaximumPayload: UInt64 = 1 << 30

    private static let put: StaticString = "/v2/blobs/put"

    let store: any PayloadStorage
    let maximumPayload: UInt64
    let codec: CodecLimits
    let next: (any NextCodec)?
    let logger: Logger

    /// Makes the service.
    ///
    /// - Parameters:
    ///   - store: the store of the payloads.
    ///   - maximumPayload: the largest payload, and the largest body of a request to the codec server, in bytes.
    ///   - codec: the codec server's limits.
    ///   - next: the codec server that ours passes payloads through; `nil` for none.
    ///   - logger: logs each failure once.
    public init(
        store: any PayloadStorage,
        maximumPayload: UInt64 = Self.defaultMaximumPayload,
        codec: CodecLimits = CodecLimits(),
        next: (any NextCodec)? = nil,
        logger: Logger
    ) {
        self.store = store
        self.maximumPayload = maximumPayload
        self.codec = codec
        self.next = next
        self.logger = logger
    }

    /// Answers a request; every failure becomes an answer, too.
    ///
    /// - Parameter trace: records the request's progress. The answer has not been sent when this returns.
    public func respond(to request: ServiceRequest, _ trace: RequestTrace = RequestTrace()) -> ServiceResponse {
        let response: ServiceResponse
        do {
            response = try route(request, trace)
        } catch let refusal as Refusal {
            response = ServiceResponse(refusal)
        } catch {
            response = ServiceResponse(refusal(for: error, trace, request))
        }
        trace.turn(to: .answering)
        return complete(response, trace)
    }

    /// Answers a request again, after reading the first answer's content failed before any byte was sent.
    public func respond(
        to request: ServiceRequest,
        failedWith error: any Error,
        _ trace: RequestTrace
    ) -> ServiceResponse {
        trace.bytesOut = 0
        return complete(ServiceResponse(refusal(for: error, trace, request)), trace)
    }

    private func complete(_ response: consuming ServiceResponse, _ trace: RequestTrace) -> ServiceResponse {
        if let id = trace.id, response.status.code >= 400 { response.add("X-Request-Id") { $0 += id } }
        trace.subject.describe(in: &response)
        return response
    }

    private func route(_ request: ServiceRequest, _ trace: RequestTrace) throws -> ServiceResponse {
        if let upload = UnwrittenUpload(request.path) {
            trace.endpoint = endpoint(of: upload.path, request.codecPrefix)
            throw try upload.refusal(of: request, store)
        }
        if let prefix = request.codecPrefix, let path = CodecPath(request.path, below: prefix) {
            trace.endpoint = path.operation.endpoint
            try request.checkMethod("POST")
            let endpoint = CodecEndpoint(
                store: store,
                maximumPayload: maximumPayload,
                limits: codec,
                next: next,
                logger: logger
            )
            return try endpoint.respond(to: request, path, trace)
        }
        switch request.path {
        case "/v2/health/head":
            trace.endpoint = .health
            try request.checkMethod("HEAD")
            return try HealthEndpoint(store: store, logger: logger).respond()
        case Self.put:
            trace.endpoint = .put
            try request.checkMethod("PUT")
            return try PutEndpoint(store: store, maximumPayload: maximumPayload).respond(to: request, trace)
        case "/v2/blobs/get":
            trace.endpoint = .get
            try request.checkMethod("GET")
            return try GetEndpoint(store: store).respond(to: request, trace)
        case "/lps/ping":
            trace.endpoint = .ping
            return try request.probe("pong\n")
        case "/lps/ready":
            trace.endpoint = .health
            let ready = try request.probe("ready\n")
            _ = try HealthEndpoint(store: store, logger: logger).respond()
            return ready
        default:
            throw Refusal(.notFound, "unknown path '\(printable(request.path))'")
        }
    }

    /// The endpoint of a request that nginx could not pass on.
    private func endpoint(of path: ServiceRequest.Bytes, _ codecPrefix: ServiceRequest.Bytes?) -> RequestTrace.Endpoint
    {
        if path.equals(Self.put) { return .put }
        return codecPrefix.flatMap { CodecPath(path, below: $0) }?.operation.endpoint ?? .unknown
    }

    /// Logs a failure, and makes its answer. No other place logs failures of requests.
    private func refusal(for error: any Error, _ trace: RequestTrace, _ request: ServiceRequest) -> Refusal {
        if error is UploadMismatch { trace.mismatches += 1 }
        let failure = Failure(error, of: trace.endpoint)
        var details = trace.subject.metadata
        details["path"] = "\(printable(request.path))"
        details["error"] = "\(error)"
        logger.log(level: failure.level, failure.logged, metadata: details)
        return failure.refusal
    }
}

extension ServiceRequest {
    /// The answer to a probe by GET or HEAD; the web server omits the content for HEAD (RFC 3875 section 4.3.3).
    fileprivate func probe(_ text: String) throws -> ServiceResponse {
        if !method.equals("HEAD") { try checkMethod("GET") }
        return ServiceResponse(
            .ok,
            headers: [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")],
            body: .bytes(Array(text.utf8))
        )
    }

    fileprivate func checkMethod(_ allowed: StaticString) throws {
        guard method.equals(allowed) else {
            throw Refusal(
                .methodNotAllowed,
                "method \(printable(method)) is not allowed, use \(allowed)",
                headers: [("Allow", "\(allowed)")]
            )
        }
    }
}
