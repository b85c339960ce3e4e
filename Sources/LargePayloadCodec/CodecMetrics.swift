import Metrics

/// The codec's metrics; without a factory nothing is kept.
struct CodecMetrics: Sendable {
    private let factory: (any MetricsFactory)?

    init(_ factory: (any MetricsFactory)?) {
        self.factory = factory
    }

    /// An attempt of a request, with its answer's status, or `none`.
    func count(_ operation: LargePayloadCodecError.Operation, _ status: String, _ duration: Duration) {
        guard let factory else { return }
        let dimensions = [("operation", operation.rawValue), ("status", status)]
        Counter(label: "large_payload_codec_requests", dimensions: dimensions, factory: factory).increment()
        Timer(
            label: "large_payload_codec_request_duration",
            dimensions: [("operation", operation.rawValue)],
            factory: factory
        ).record(duration: duration)
    }

    func countRetry(_ operation: LargePayloadCodecError.Operation) {
        guard let factory else { return }
        let dimensions = [("operation", operation.rawValue)]
        Counter(label: "large_payload_codec_retries", dimensions: dimensions, factory: factory).increment()
    }

    /// Bytes of payloads that were uploaded or downloaded.
    func count(bytes: Int, _ operation: LargePayloadCodecError.Operation) {
        guard let factory else { return }
        let dimensions = [("operation", operation.rawValue)]
        Counter(label: "large_payload_codec_bytes", dimensions: dimensions, factory: factory).increment(by: bytes)
    }

    func countCache(isHit: Bool) {
        guard let factory else { return }
        let dimensions = [("result", isHit ? "hit" : "miss")]
        Counter(label: "large_payload_codec_cache", dimensions: dimensions, factory: factory).increment()
    }
}
