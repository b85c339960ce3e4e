import Encoding
#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
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
    private let turns: RequestTurns
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
        turns = RequestTurns(limit: options.maximumConcurrentRequests)
        timeout = options.requestTimeout
        retries = options.retries
        logger = options.logger
        metrics = CodecMetrics(options.metrics)
    }

    // MARK: Requests

    /// Whoever starts a worker wants to know soon that the service is unavailable.
    private var checkLimit: Duration { min(retries.giveUpAfter, .seconds(10)) }

    /// Checks that the service can store payloads.
    func checkHealth() async throws {
        let request = CodecRequest(method: "HEAD", url: "\(url)/health/head", maximumResponseSize: Self.messageSize)
        _ = try await send(request, .healthCheck, key: nil, accepting: [200], giveUpAfter: checkLimit)
    }

    /// Checks that the service answers requests for payloads of the namespace, whether or not it can store any.
    ///
    /// Asks for the empty payload. That it is not stored (404), or has another size (412), also proves it.
    func checkDownloads() async throws {
        let empty = Digest(of: Data())
        let key = PayloadKey(namespace: namespace, prefix: nil, digest: empty, metadataHash: TemporalMetadata([]).hash)
        let request = downloadRequest(key.utf8, size: 0)
        let response = try await send(
            request,
            .healthCheck,
            key: nil,
            accepting: [200, 404, 412],
            giveUpAfter: checkLimit
        )
        // Other web servers also answer 404, or 200 with a page.
        guard
            response.status == 412 || response.status == 200 && response.body.isEmpty
                || response.status == 404 && Self.message(response) == "blob not found"
        else { throw LargePayloadCodecError(.refused, .healthCheck, Self.message(response), answer: response) }
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
        var request = downloadRequest(reference.key, size: reference.size)
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

    private func downloadRequest(_ key: [UInt8], size: UInt64) -> CodecRequest {
        CodecRequest(
            method: "GET",
            url: "\(url)/blobs/get?key=\(PercentEncoding.encodePath(key))",
            headers: [
                ("Content-Type", "application/octet-stream"), ("X-Payload-Expected-Content-Length", "\(size)"),
            ],
            maximumResponseSize: max(Int(clamping: size), Self.messageSize)
        )
    }

    private func download(
        _ request: CodecRequest,
        _ reference: PayloadReference,
        giveUpAfter: Duration? = nil
    ) async throws -> Data {
        let key = String(decoding: reference.key, as: UTF8.self)
        let response = try await send(request, .download, key: key, accepting: [200], giveUpAfter: giveUpAfter)
        func mismatch(_ message: String) -> LargePayloadCodecError {
            LargePayloadCodecError(.contentMismatch, .download, message, answer: response, key: key)
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
            LargePayloadCodecError(.invalidAnswer, .upload, message, answer: response)
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
    /// Each attempt waits for its turn. That is not the service's fault, so the wait counts towards no time limit.
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
        // The time of all attempts and of the delays between them.
        var spent = Duration.zero
        var attempt = 1
        while true {
            try await turns.begin()
            let limit = budget == .zero ? timeout : min(timeout, budget - spent)
            let start = ContinuousClock.now
            let outcome: Outcome
            do {
                defer { turns.end() }
                outcome = try await self.outcome(of: request, within: limit, operation, key, accepting: statuses)
            }
            spent += start.duration(to: .now)
            switch outcome {
            case .accepted(let response):
                return response
            case .failed(let error, let isTransient, let retryAfter):
                let delay = retries.delay(afterAttempt: attempt, retryAfter: retryAfter)
                guard isTransient, spent + delay < budget else { throw error }
                metrics.countRetry(operation)
                logger?.warning(
                    "\(operation.rawValue) failed; retrying",
                    metadata: ["error": "\(error)", "attempt": "\(attempt)", "delay": "\(delay)"]
                )
                try await Task.sleep(for: delay)
                spent += delay
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
                LargePayloadCodecError(.refused, operation, Self.message(response), answer: response, key: key),
                isTransient: LargePayloadCodecError.retriedStatuses(operation).contains(status),
                retryAfter: response.retryAfter
            )
        } catch let error as AttemptFailure {
            // Libraries use the same error for cancelled tasks and closed connections; only the task knows.
            try Task.checkCancellation()
            metrics.count(operation, "none", start.duration(to: .now))
            return .failed(
                LargePayloadCodecError(.noAnswer, operation, error.message, key: key, cause: error.cause),
                isTransient: error.isTransient,
                retryAfter: nil
            )
        }
    }

    /// Sends a request through the hook. The time limit includes the hook, and the whole answer.
    ///
    /// - Throws: ``AttemptFailure``, the hook's own error, or `CancellationError`.
    private func attempt(_ request: CodecRequest, within limit: Duration) async throws -> CodecResponse {
        let send: @Sendable (CodecRequest) async throws -> CodecResponse = { [transport] request in
            do {
                return try await transport.send(request, timeout: limit)
            } catch let error as CodecTransportError {
                throw AttemptFailure(cause: error.cause, message: error.message, isTransient: false)
            } catch {
                throw AttemptFailure(cause: error, isTransient: true)
            }
        }
        do {
            return try await withTimeLimit(limit) { [hook] in
                guard let hook else { return try await send(request) }
                return try await hook(request, send)
            }
        } catch let error as CodecRetryError {
            throw AttemptFailure(cause: error.cause, isTransient: true)
        } catch let error as TimedOut {
            throw AttemptFailure(cause: error, isTransient: true)
        }
    }

    /// Returns the body of an error answer as one line.
    private static func message(_ response: CodecResponse) -> String {
        let text = String(decoding: response.body.prefix(messageSize), as: UTF8.self)
        let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
        return line.isEmpty ? "the service sent no message" : line
    }
}

/// An attempt without an answer, as opposed to an error of the hook itself.
private struct AttemptFailure: Error {
    let cause: any Error
    let message: String
    let isTransient: Bool

    init(cause: any Error, message: String? = nil, isTransient: Bool) {
        self.cause = cause
        self.message = message ?? "\(cause)"
        self.isTransient = isTransient
    }
}

extension CodecResponse {
    /// `Retry-After` in seconds (RFC 9110 section 10.2.3). A date is ignored.
    fileprivate var retryAfter: Duration? {
        header("retry-after").flatMap { UInt32($0) }.map { .seconds($0) }
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
