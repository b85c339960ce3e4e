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
    public func encode<P: TemporalPayload>(payloads: some Collection<P>) async throws -> [P] {
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
    public func decode<P: TemporalPayload>(payloads: some Collection<P>) async throws -> [P] {
        var result = Array(payloads)
        var downloads: [(index: Int, reference: PayloadReference)] = []
        for (index, payload) in result.enumerated() where payload.metadata[PayloadReference.versionName] != nil {
            if let reference = try Self.reference(payload) { downloads.append((index, reference)) }
        }
        let fetched = try await sideBySide(downloads, limit: maximumConcurrentRequests) { [service, cache] download in
            if let cache {
                let data = cache.data(of: download.reference)
                service.metrics.countCache(isHit: data != nil)
                if let data { return data }
            }
            let data = try await service.download(download.reference)
            cache?.insert(data, of: download.reference)
            return data
        }
        for (download, data) in zip(downloads, fetched) {
            result[download.index] = P(download.reference.metadata, data)
        }
        return result
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
