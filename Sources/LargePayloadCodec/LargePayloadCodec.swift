import FoundationEssentials
import PayloadKey

/// A payload codec that keeps large payloads in the Large Payload Service, and only their keys in workflow histories.
///
/// It satisfies the Swift Temporal SDK's `PayloadCodec` as it is:
///
/// ```swift
/// extension LargePayloadCodec: @retroactive PayloadCodec {}
/// ```
///
/// Safe to use from any number of tasks at once, and cheap to copy: copies share connections and cache.
public struct LargePayloadCodec: Sendable {
    private let minimumSize: UInt64
    private let isDecodeOnly: Bool
    private let maximumConcurrentRequests: Int
    private let service: ServiceClient
    private let cache: PayloadCache?

    /// Makes a codec, and makes sure that the service is there, unless the options say not to.
    ///
    /// - Throws: ``LargePayloadCodecOptionError`` that names the option that is wrong, ``LargePayloadCodecError`` when
    ///   the service does not answer or is not healthy, or `CancellationError`.
    public init(_ options: Options) async throws {
        let namespace = try options.validated()
        minimumSize = UInt64(options.minimumSize)
        isDecodeOnly = options.isDecodeOnly
        maximumConcurrentRequests = options.maximumConcurrentRequests
        service = ServiceClient(options, namespace: namespace)
        cache = options.cacheSize == 0 ? nil : PayloadCache(capacity: options.cacheSize)
        if !options.skipsHealthCheck { try await service.checkHealth() }
    }

    /// Uploads the payloads whose serialized size is over the minimum, and puts references in their place.
    ///
    /// - Returns: as many payloads as were given, in their order.
    /// - Throws: ``LargePayloadCodecError`` of the first upload that failed, after its retries; `CancellationError`. What
    ///   was uploaded by then stays in the service, and is not uploaded twice when this is called again.
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

    /// Fetches the payloads that references stand for, and leaves others as they are.
    ///
    /// - Returns: as many payloads as were given, in their order. Each one fetched has the length and the digest that its
    ///   reference says.
    /// - Throws: ``LargePayloadCodecError`` of the first download that failed, after its retries, or of a reference that
    ///   can't be followed; `CancellationError`.
    nonisolated(nonsending) public func decode<P: TemporalPayload>(payloads: some Collection<P>) async throws -> [P] {
        var result = Array(payloads)
        var references: [(index: Int, reference: PayloadReference)] = []
        for (index, payload) in result.enumerated() where payload.metadata[PayloadReference.versionName] != nil {
            if let reference = try Self.reference(payload) { references.append((index, reference)) }
        }
        // Several references of one call may stand for one payload.
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

    /// What a reference says about the data that it stands for.
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
