import FoundationEssentials
import PayloadKey

/// A payload codec that stores large payloads in the Large Payload Service and replaces them with small references.
///
/// It meets the requirements of the Swift Temporal SDK's `PayloadCodec` without further code:
///
/// ```swift
/// extension LargePayloadCodec: @retroactive PayloadCodec {}
/// ```
///
/// You can use a codec from any number of tasks at once. Copies share connections and cache.
public struct LargePayloadCodec: Sendable {
    private let minimumSize: UInt64
    private let isDecodeOnly: Bool
    private let maximumConcurrentRequests: Int
    private let service: ServiceClient
    private let cache: PayloadCache?

    /// Creates a codec and checks that the service is healthy, unless ``Options/skipsHealthCheck`` is set.
    ///
    /// - Parameter options: The URL, the namespace, and the options that differ from their defaults.
    /// - Throws: ``LargePayloadCodecOptionError`` for an invalid option, ``LargePayloadCodecError`` if the service does
    ///   not answer or is unhealthy, or `CancellationError`.
    public init(_ options: Options) async throws {
        let namespace = try options.validated()
        minimumSize = UInt64(options.minimumSize)
        isDecodeOnly = options.isDecodeOnly
        maximumConcurrentRequests = options.maximumConcurrentRequests
        service = ServiceClient(options, namespace: namespace)
        cache = options.cacheSize == 0 ? nil : PayloadCache(capacity: options.cacheSize)
        if !options.skipsHealthCheck { try await service.checkHealth() }
    }

    /// Uploads payloads whose serialized size exceeds ``Options/minimumSize``, and replaces them with references.
    ///
    /// - Returns: One payload for each given payload, in the same order.
    /// - Throws: ``LargePayloadCodecError`` of the first upload that failed after its retries, or `CancellationError`.
    ///   Payloads that were uploaded before the failure stay in the service. A repeated call does not store them twice.
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
        let references = try await sideBySide(uploads, limit: maximumConcurrentRequests) { [service] upload in
            try await service.upload(upload.data, upload.metadata)
        }
        for (upload, reference) in zip(uploads, references) {
            result[upload.index] = P(PayloadReference.carrierMetadata, Data(reference.json.utf8))
        }
        return result
    }

    /// Replaces references with the payloads they name, and returns other payloads unchanged.
    ///
    /// - Returns: One payload for each given payload, in the same order. The length and digest of each downloaded
    ///   payload match its reference.
    /// - Throws: ``LargePayloadCodecError`` of the first download that failed after its retries, or of an invalid
    ///   reference; or `CancellationError`.
    nonisolated(nonsending) public func decode<P: TemporalPayload>(payloads: some Collection<P>) async throws -> [P] {
        var result = Array(payloads)
        var references: [(index: Int, reference: PayloadReference)] = []
        for (index, payload) in result.enumerated() where payload.metadata[PayloadReference.versionName] != nil {
            if let reference = try Self.reference(payload) { references.append((index, reference)) }
        }
        // Several references of one call can name the same payload.
        let wanted = Dictionary(references.map { (Content($0.reference), $0.reference) }) { first, _ in first }
        let contents = Array(wanted)
        let fetched = try await sideBySide(contents, limit: maximumConcurrentRequests) { [self] in
            try await fetch($0.value)
        }
        let data = Dictionary(zip(contents.map(\.key), fetched)) { first, _ in first }
        for (index, reference) in references {
            if let data = data[Content(reference)] { result[index] = P(reference.metadata, data) }
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

    private static func reference(_ payload: some TemporalPayload) throws(LargePayloadCodecError) -> PayloadReference? {
        do throws(PayloadReferenceError) {
            guard try PayloadReference.isCarried(by: payload.temporalMetadata) else { return nil }
            return try PayloadReference(parsing: Array(payload.data))
        } catch {
            throw LargePayloadCodecError(.invalidReference, .download, "\(error)", cause: error)
        }
    }
}
