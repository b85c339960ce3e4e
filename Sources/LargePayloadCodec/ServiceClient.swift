import Encoding
import FoundationEssentials
import Logging
import PayloadKey

/// Sends the three requests of the service's API (health check, upload and download) and retries them.
struct ServiceClient: Sendable {
    /// The maximum size of an error message in bytes. At least this much is read of any answer.
    private static let messageSize = 4096

    let metrics: CodecMetrics
    private let url: String
    private let namespace: Namespace
    private let headers: [LargePayloadCodec.Options.Header]
    private let transport: any CodecTransport
    private let hook: LargePayloadCodec.Options.Hook?
    private let timeout: Duration
    private let retries: LargePayloadCodec.RetryPolicy
    private let logger: Logger?

    init(_ options: LargePayloadCodec.Options, namespace: Namespace) {
        var url = options.url
        while url.hasSuffix("/") { url.removeLast() }
        self.url = "\(url)/\(options.apiVersion)"
        self.namespace = namespace
        headers = options.headers
        transport = options.transport ?? HTTPClientTransport()
        hook = options.hook
        timeout = options.requestTimeout
        retries = options.retries
        logger = options.logger
        metrics = CodecMetrics(options.metrics)
    }

    // MARK: Requests

    func checkHealth() async throws {
        let request = CodecRequest(method: "HEAD", url: "\(url)/health/head", maximumResponseSize: Self.messageSize)
        // Whoever starts a worker wants to know soon that the service is unavailable.
        let giveUpAfter = min(retries.giveUpAfter, .seconds(10))
        _ = try await send(request, .healthCheck, key: nil, accepting: [200], giveUpAfter: giveUpAfter)
    }

    func upload(_ data: Data, _ metadata: TemporalMetadata) async throws -> PayloadReference {
        let digest = Digest(of: data)
        let query =
            "namespace=\(PercentEncoding.encodePath(namespace.utf8))&digest=\(PercentEncoding.encodePath("\(digest)".utf8))"
        let request = CodecRequest(
            method: "PUT",
            url: "\(url)/blobs/put?\(query)",
            headers: [("Content-Type", "application/octet-stream"), ("X-Temporal-Metadata", metadata.header)],
            body: data,
            maximumResponseSize: Self.messageSize
        )
        let response = try await send(request, .upload, key: nil, accepting: [200, 201])
        metrics.count(bytes: data.count, .upload)
        return PayloadReference(
            metadata: metadata,
            size: UInt64(data.count),
            digest: digest,
            key: try key(response, digest)
        )
    }

    func download(_ reference: PayloadReference) async throws -> Data {
        var request = CodecRequest(
            method: "GET",
            url: "\(url)/blobs/get?key=\(PercentEncoding.encodePath(reference.key))",
            headers: [
                ("Content-Type", "application/octet-stream"),
                ("X-Payload-Expected-Content-Length", "\(reference.size)"),
            ],
            maximumResponseSize: max(Int(clamping: reference.size), Self.messageSize)
        )
        do {
            return try await download(request, reference)
        } catch let error as LargePayloadCodecError where error.code == .contentMismatch {
            // A cache on the way may hold a damaged copy; no-cache makes it fetch a new one (RFC 9111 section 5.2.1.4).
            logger?.warning("download does not match its reference; retrying once", metadata: ["error": "\(error)"])
            request.headers.append(("Cache-Control", "no-cache"))
            do {
                return try await download(request, reference, giveUpAfter: .zero)
            } catch let second as LargePayloadCodecError where second.code != .contentMismatch {
                // The mismatch says more than a failure to repeat the request.
                throw error
            }
        }
    }

    private func download(
        _ request: CodecRequest,
        _ reference: PayloadReference,
        giveUpAfter: Duration? = nil
    ) async throws -> Data {
        let key = String(decoding: reference.key, as: UTF8.self)
        let response = try await send(request, .download, key: key, accepting: [200], giveUpAfter: giveUpAfter)
        func mismatch(_ message: String) -> LargePayloadCodecError {
            LargePayloadCodecError(.contentMismatch, .download, message, status: response.status, key: key)
        }
        guard UInt64(response.body.count) == reference.size, !response.isTruncated else {
            let size = response.isTruncated ? "more than \(response.body.count)" : "\(response.body.count)"
            throw mismatch("the payload has \(size) bytes, expected \(reference.size)")
        }
        let digest = Digest(of: response.body)
        guard digest == reference.digest else {
            throw mismatch("the payload has digest \(digest), expected \(reference.digest)")
        }
        metrics.count(bytes: response.body.count, .download)
        return response.body
    }

    /// Returns the key in the answer to an upload. As in Go clients, the case of the member's name does not matter.
    private func key(_ response: CodecResponse, _ digest: Digest) throws(LargePayloadCodecError) -> [UInt8] {
        func invalid(_ message: String) -> LargePayloadCodecError {
            LargePayloadCodecError(.invalidAnswer, .upload, message, status: response.status)
        }
        var reader = JSONReader(Array(response.body))
        var key: [UInt8] = []
        do {
            try reader.skipWhitespace()
            try reader.object { reader, name in
                if String(decoding: name, as: UTF8.self).lowercased() == "key" {
                    key = try reader.string()
                } else {
                    try reader.skip()
                }
            }
            try reader.end()
        } catch {
            throw invalid("the answer is not a JSON object with a key: \(error)")
        }
        guard !key.isEmpty else { throw invalid("the answer has no key") }
        if let parsed = PayloadKey(parsing: key), parsed.digest != digest {
            throw invalid("the answer's key \(parsed) names another payload, expected digest \(digest)")
        }
        return key
    }

    // MARK: Attempts

    /// Sends a request, and retries transient failures until the time limit.
    ///
    /// - Returns: An answer with one of the accepted statuses.
    /// - Throws: ``LargePayloadCodecError`` of the last attempt; what the hook throws; or `CancellationError`.
    private func send(
        _ request: CodecRequest,
        _ operation: LargePayloadCodecError.Operation,
        key: String?,
        accepting statuses: [Int],
        giveUpAfter: Duration? = nil
    ) async throws -> CodecResponse {
        var request = request
        request.headers += headers.map { ($0.name, $0.value) }
        let budget = giveUpAfter ?? retries.giveUpAfter
        let start = ContinuousClock.now
        var attempt = 1
        while true {
            try Task.checkCancellation()
            let limit = budget == .zero ? timeout : min(timeout, budget - start.duration(to: .now))
            switch try await outcome(of: request, within: limit, operation, key, accepting: statuses) {
            case .accepted(let response):
                return response
            case .failed(let error, let isTransient, let retryAfter):
                let delay = retries.delay(afterAttempt: attempt, retryAfter: retryAfter)
                guard isTransient, start.duration(to: .now) + delay < budget else { throw error }
                metrics.countRetry(operation)
                logger?.warning(
                    "\(operation.rawValue) failed; retrying",
                    metadata: ["error": "\(error)", "attempt": "\(attempt)", "delay": "\(delay)"]
                )
                try await Task.sleep(for: delay)
                attempt += 1
            }
        }
    }

    private enum Outcome {
        case accepted(CodecResponse)
        case failed(LargePayloadCodecError, isTransient: Bool, retryAfter: Duration?)
    }

    /// Sends a request once, and logs, counts and classifies the result.
    ///
    /// - Throws: What the hook throws, or `CancellationError`.
    private func outcome(
        of request: CodecRequest,
        within limit: Duration,
        _ operation: LargePayloadCodecError.Operation,
        _ key: String?,
        accepting statuses: [Int]
    ) async throws -> Outcome {
        let start = ContinuousClock.now
        do {
            let response = try await attempt(request, within: limit)
            let status = response.status
            metrics.count(operation, "\(status)", start.duration(to: .now))
            logger?.debug("\(operation.rawValue)", metadata: ["status": "\(status)", "url": "\(request.url)"])
            if statuses.contains(status) { return .accepted(response) }
            return .failed(
                LargePayloadCodecError(.refused, operation, Self.message(response), status: status, key: key),
                isTransient: [429, 502, 503, 504].contains(status),
                retryAfter: response.retryAfter
            )
        } catch let error as TransportFailure {
            metrics.count(operation, "none", start.duration(to: .now))
            let cause = error.cause
            return .failed(
                LargePayloadCodecError(.noAnswer, operation, "\(cause)", key: key, cause: cause),
                isTransient: error.isTransient,
                retryAfter: nil
            )
        }
    }

    private func attempt(_ request: CodecRequest, within limit: Duration) async throws -> CodecResponse {
        let send: @Sendable (CodecRequest) async throws -> CodecResponse = { request in
            do {
                return try await transport(request, within: limit)
            } catch let error as CodecTransportError {
                throw TransportFailure(cause: error.cause, isTransient: false)
            } catch {
                // Libraries use the same error for cancelled tasks and closed connections; only the task knows.
                try Task.checkCancellation()
                throw TransportFailure(cause: error, isTransient: true)
            }
        }
        guard let hook else { return try await send(request) }
        return try await hook(request, send)
    }

    /// Sends a request, and cancels it at the time limit, because a transport's own limit may end with the answer's head.
    private func transport(_ request: CodecRequest, within limit: Duration) async throws -> CodecResponse {
        try await withThrowingTaskGroup(of: CodecResponse?.self) { group in
            group.addTask { try await transport.send(request, timeout: limit) }
            group.addTask {
                try await Task.sleep(for: limit)
                return nil
            }
            defer { group.cancelAll() }
            guard let response = try await group.next() ?? nil else { throw TimedOut(limit: limit) }
            return response
        }
    }

    /// Returns the body of an error answer as one line.
    private static func message(_ response: CodecResponse) -> String {
        let text = String(decoding: response.body.prefix(messageSize), as: UTF8.self)
        let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
        return line.isEmpty ? "the service sent no message" : line
    }
}

/// One attempt exceeded its time limit.
private struct TimedOut: Error, CustomStringConvertible {
    let limit: Duration

    var description: String { "no complete answer within \(limit)" }
}

/// Marks an error of the transport, as opposed to one of the hook.
private struct TransportFailure: Error {
    let cause: any Error
    let isTransient: Bool
}

extension CodecResponse {
    /// `Retry-After` in seconds (RFC 9110 section 10.2.3). A date is ignored.
    fileprivate var retryAfter: Duration? {
        let field = headers.first { $0.name.lowercased() == "retry-after" }
        return field.flatMap { UInt32($0.value) }.map { .seconds($0) }
    }
}

extension LargePayloadCodec.RetryPolicy {
    /// Returns how long to wait before the next attempt, with jitter.
    ///
    /// - Parameter attempt: The number of the failed attempt, from 1.
    func delay(afterAttempt attempt: Int, retryAfter: Duration?) -> Duration {
        // Never earlier than asked for, and not all clients at the same time.
        if let retryAfter { return min(retryAfter, maximumDelay) * Double.random(in: 1...1.5) }
        let limit = min(initialDelay * (1 << min(attempt - 1, 20)), maximumDelay)
        return limit * Double.random(in: 0...1)
    }
}

extension Digest {
    init(of data: Data) {
        var hasher = DigestHasher()
        data.withUnsafeBytes { hasher.update($0) }
        self = hasher.finalize()
    }
}
