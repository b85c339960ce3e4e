import Metrics

/// Records the codec's metrics; does nothing without a factory.
struct CodecMetrics: Sendable {
    typealias Operation = LargePayloadCodecError.Operation

    private let factory: (any MetricsFactory)?

    init(_ factory: (any MetricsFactory)?) {
        self.factory = factory
    }

    /// Records one attempt: `status` is the answer's status, or `none` if no answer came.
    func count(_ operation: Operation, _ status: String, _ duration: Duration) {
        add(to: "large_payload_codec_requests", ("operation", operation.rawValue), ("status", status))
        guard let factory else { return }
        Timer(
            label: "large_payload_codec_request_duration",
            dimensions: [("operation", operation.rawValue)],
            factory: factory
        ).record(duration: duration)
    }

    func countRetry(_ operation: Operation) {
        add(to: "large_payload_codec_retries", ("operation", operation.rawValue))
    }

    /// Counts a payload that was replaced because of a permanent failure.
    func countReplaced(_ operation: Operation) {
        add(to: "large_payload_codec_replaced", ("operation", operation.rawValue))
    }

    /// Counts payload bytes of a successful upload or download.
    func count(bytes: Int, _ operation: Operation) {
        add(bytes, to: "large_payload_codec_bytes", ("operation", operation.rawValue))
    }

    func countCache(isHit: Bool) {
        add(to: "large_payload_codec_cache", ("result", isHit ? "hit" : "miss"))
    }

    private func add(_ amount: Int = 1, to label: String, _ dimensions: (String, String)...) {
        guard let factory else { return }
        Counter(label: label, dimensions: dimensions, factory: factory).increment(by: amount)
    }
}
