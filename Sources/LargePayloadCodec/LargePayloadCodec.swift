#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
import Logging
import PayloadKey

/// A payload codec that stores large payloads in the Large Payload Service and replaces them with small references.
///
/// It meets the requirements of the Swift Temporal SDK's `PayloadCodec` without further code:
///
/// ```swift
/// extension LargePayloadCodec: @retroactive PayloadCodec {}
/// ```
///
/// You can use a codec from any number of tasks at once. Copies share connections, cache and the limit of concurrent
/// requests.
public struct LargePayloadCodec: Sendable {
    private let minimumSize: UInt64
    private let maximumDownloadSize: UInt64
    private let isDecodeOnly: Bool
    private let permanentFailures: Options.PermanentFailures
    private let service: ServiceClient
    private let cache: PayloadCache?
    private let logger: Logger?

    /// Creates a codec and checks the service, unless ``Options/skipsHealthCheck`` is set.
    ///
    /// The check is whether the service can store payloads, or, if ``Options/isDecodeOnly`` is set, whether it answers
    /// requests for payloads of the namespace: a codec that only decodes can be created while the service's disk is full.
    ///
    /// - Parameter options: The URL, the namespace, and the options that differ from their defaults.
    /// - Throws: ``LargePayloadCodecOptionError`` for an invalid option, ``LargePayloadCodecError`` if the service does
    ///   not answer or is unhealthy, or `CancellationError`.
    public init(_ options: Options) async throws {
        let namespace = try options.validated()
        minimumSize = UInt64(options.minimumSize)
        maximumDownloadSize = UInt64(options.maximumDownloadSize)
        isDecodeOnly = options.isDecodeOnly
        permanentFailures = options.permanentFailures
        service = ServiceClient(options, namespace: namespace)
        cache = options.cacheSize == 0 ? nil : PayloadCache(capacity: options.cacheSize)
        logger = options.logger
        guard !options.skipsHealthCheck else { return }
        if isDecodeOnly { try await service.checkDownloads() } else { try await service.checkHealth() }
    }

    /// Uploads payloads whose serialized size exceeds ``Options/minimumSize``, and replaces them with references.
    ///
    /// - Returns: One payload for each given payload, in the same order. ``Options/permanentFailures`` describes those
    ///   that could not be uploaded.
    /// - Throws: ``LargePayloadCodecError`` of the first upload that failed because the service was unavailable until
    ///   the end of its retries, the hook's error, or `CancellationError`. Payloads that were uploaded before the
    ///   failure stay in the service. A repeated call does not store them twice.
    nonisolated(nonsending) public func encode<P: TemporalPayload>(payloads: some Collection<P>) async throws -> [P] {
        var result = Array(payloads)
        guard !isDecodeOnly else { return result }
        var uploads: [(index: Int, metadata: TemporalMetadata, data: Data)] = []
        for (index, payload) in result.enumerated() {
            let metadata = payload.temporalMetadata
            let data = payload.data
            if SerializedSize.ofPayload(metadata, dataSize: UInt64(data.count)) > minimumSize {
                uploads.append((index, metadata, data))
            }
        }
        let references = try await sideBySide(uploads) { [self] upload in
            try await orPermanentFailure { try await store(upload.data, upload.metadata) }
        }
        for (upload, reference) in zip(uploads, references) {
            switch reference {
            case .success(let reference):
                result[upload.index].temporalMetadata = PayloadReference.carrierMetadata
                result[upload.index].data = Data(reference.json.utf8)
            case .failure(let error):
                result[upload.index].metadata = [:]
                result[upload.index].data = Data()
                Self.markFailed(&result[upload.index], error)
            }
        }
        return result
    }

    /// Replaces references with the payloads they name, and returns other payloads unchanged.
    ///
    /// - Returns: One payload for each given payload, in the same order. The length and digest of each downloaded
    ///   payload match its reference. ``Options/permanentFailures`` describes those that could not be downloaded.
    /// - Throws: ``LargePayloadCodecError`` of the first download that failed because the service was unavailable until
    ///   the end of its retries, the hook's error, or `CancellationError`.
    nonisolated(nonsending) public func decode<P: TemporalPayload>(payloads: some Collection<P>) async throws -> [P] {
        var result = Array(payloads)
        var references: [(index: Int, reference: PayloadReference)] = []
        for (index, payload) in result.enumerated() where payload.metadata[PayloadReference.versionName] != nil {
            switch try await orPermanentFailure({ try reference(payload) }) {
            case .success(let reference?): references.append((index, reference))
            case .success(nil): break
            case .failure(let error): Self.markFailed(&result[index], error)
            }
        }
        // Several references of one call can name the same payload.
        let wanted = Dictionary(references.map { (Content($0.reference), $0.reference) }) { first, _ in first }
        let contents = Array(wanted)
        let fetched = try await sideBySide(contents) { [self] content in
            try await orPermanentFailure { try await fetch(content.value) }
        }
        let data = Dictionary(zip(contents.map(\.key), fetched)) { first, _ in first }
        for (index, reference) in references {
            switch data[Content(reference)] {
            case .success(let data):
                result[index].temporalMetadata = reference.metadata
                result[index].data = data
            case .failure(let error): Self.markFailed(&result[index], error)
            case nil: break
            }
        }
        return result
    }

    /// The part of a reference that identifies the data. References that differ only in metadata share one download.
    private struct Content: Hashable {
        let key: [UInt8]
        let size: UInt64
        let digest: Digest

        init(_ reference: PayloadReference) {
            key = reference.key
            size = reference.size
            digest = reference.digest
        }
    }

    private func store(_ data: Data, _ metadata: TemporalMetadata) async throws -> PayloadReference {
        let reference = try await service.upload(data, metadata)
        // A workflow usually reads soon what was stored for it.
        cache?.insert(data, of: reference)
        return reference
    }

    private func fetch(_ reference: PayloadReference) async throws -> Data {
        if let cache {
            let data = cache.data(of: reference)
            service.metrics.countCache(isHit: data != nil)
            if let data { return data }
        }
        let data = try await service.download(reference)
        cache?.insert(data, of: reference)
        return data
    }

    /// Validates a payload's reference. Returns `nil` if the payload is not a reference.
    private func reference(_ payload: some TemporalPayload) throws(LargePayloadCodecError) -> PayloadReference? {
        let reference: PayloadReference
        do throws(PayloadReferenceError) {
            guard try PayloadReference.isCarried(by: payload.temporalMetadata) else { return nil }
            reference = try PayloadReference(parsing: Array(payload.data))
            // The key of another service may have another form.
            if let key = PayloadKey(parsing: reference.key) { try reference.check(against: key) }
        } catch {
            throw LargePayloadCodecError(.invalidReference, .download, "\(error)", cause: error)
        }
        guard reference.size <= maximumDownloadSize else {
            throw LargePayloadCodecError(
                .tooLarge,
                .download,
                "the payload has \(reference.size) bytes, more than maximumDownloadSize, \(maximumDownloadSize)",
                key: String(decoding: reference.key, as: UTF8.self)
            )
        }
        return reference
    }

    /// Returns the result of `body`.
    ///
    /// - Returns: A failure only if the payload must be replaced because of it.
    /// - Throws: All other errors of `body`.
    nonisolated(nonsending) private func orPermanentFailure<Value>(
        _ body: () async throws -> Value
    ) async throws -> Result<Value, LargePayloadCodecError> {
        do {
            return .success(try await body())
        } catch {
            guard permanentFailures == .replacePayload, let error = error as? LargePayloadCodecError, error.isPermanent
            else { throw error }
            service.metrics.countReplaced(error.operation)
            logger?.error("payload replaced", metadata: ["error": "\(error)"])
            return .failure(error)
        }
    }
}
