import FoundationEssentials
import Logging
import Metrics
import PayloadKey

extension LargePayloadCodec {
    /// A codec's options. All except ``url`` and ``namespace`` have defaults.
    public struct Options: Sendable {
        /// A header field of each request.
        public struct Header: Sendable, Equatable {
            /// The field's name, a token of RFC 9110 section 5.6.2.
            public var name: String
            /// The field's value. Control characters other than tab are not allowed.
            public var value: String

            /// Creates a header field. Creating the codec validates it.
            public init(_ name: String, _ value: String) {
                self.name = name
                self.value = value
            }
        }

        /// A function that wraps every attempt of every request. It can change the request and inspect the answer.
        ///
        /// It calls `next` to send the request. If the hook rethrows an error of `next`, the codec retries where that
        /// can help. Any other error that the hook throws ends the call.
        public typealias Hook =
            @Sendable (
                _ request: CodecRequest,
                _ next: @Sendable (CodecRequest) async throws -> CodecResponse
            ) async throws -> CodecResponse

        /// The service's URL, `https://HOST` or `http://HOST`, with an optional path. Required.
        ///
        /// For a web server that listens on a unix socket, use `http+unix://%2Frun%2Fweb.sock` or `https+unix://…`.
        public var url: String
        /// The Temporal namespace to store payloads for. Required.
        public var namespace: String
        /// The codec uploads payloads whose serialized size exceeds this number of bytes. The default is 128,000.
        ///
        /// A small value causes many requests: replaying a history downloads each of its uploaded payloads again.
        public var minimumSize = PayloadReference.defaultMinimumSize
        /// Sends the requests. `nil`, the default, uses an HTTP client that all codecs of the process share.
        public var transport: (any CodecTransport)?
        /// Wraps each request, for example to add a token or a tracing span. The default is none.
        public var hook: Hook?
        /// Header fields to add to each request. A name can occur several times.
        public var headers: [Header] = []
        /// The version of the service's API. Only `v2` is supported.
        public var apiVersion = PayloadReference.version
        /// Whether `encode` returns all payloads unchanged, while `decode` still downloads. The default is `false`.
        public var isDecodeOnly = false
        /// Whether to create the codec without checking the service. The default is `false`.
        ///
        /// Set it if a worker must start while the service is unavailable. The check takes up to ten seconds, or up to
        /// ``requestTimeout`` if retries are disabled.
        public var skipsHealthCheck = false
        /// The maximum number of concurrent uploads or downloads of one call. The default is 4.
        public var maximumConcurrentRequests = 4
        /// The time limit of one attempt, from connecting to the last byte of the answer. The default is 60 seconds.
        public var requestTimeout: Duration = .seconds(60)
        /// When and how long to retry. The default retries for two minutes.
        public var retries = RetryPolicy()
        /// The size in bytes of an in-memory cache of downloaded payloads. The default, 0, disables it.
        ///
        /// Replaying a history downloads its payloads again. A cache large enough for the payloads of all concurrent
        /// workflows avoids that. It evicts the least recently used payloads first.
        public var cacheSize = 0
        /// Logs requests (level debug) and retries (level warning). `nil`, the default, logs nothing.
        public var logger: Logger?
        /// Records metrics. `nil`, the default, records none. The library's overview lists them.
        public var metrics: (any MetricsFactory)?

        /// Creates options with defaults for all others. Creating the codec validates them.
        public init(url: String, namespace: String) {
            self.url = url
            self.namespace = namespace
        }
    }
}

extension LargePayloadCodec {
    /// How long, and at what intervals, the codec retries transient failures.
    ///
    /// A failure is transient if no answer came, or if the status is 429, 502, 503 or 504. Every request is safe to
    /// repeat. The delay before an attempt is random, between zero and a limit that starts at ``initialDelay`` and
    /// doubles with each attempt up to ``maximumDelay``. If the answer has a `Retry-After` in seconds, the codec waits
    /// that long instead, but at most ``maximumDelay``, plus up to half of that at random.
    public struct RetryPolicy: Sendable, Equatable {
        /// The time limit of a request with all its attempts, from the first one on. Zero sends each request once.
        ///
        /// A worker of the Swift Temporal SDK (0.6) terminates if its codec throws while decoding a workflow task.
        /// Choose a limit longer than any outage of the service that you want workers to survive.
        public var giveUpAfter: Duration
        /// The maximum delay before the second attempt.
        public var initialDelay: Duration
        /// The maximum delay before any attempt, apart from the random addition to a `Retry-After`.
        public var maximumDelay: Duration

        /// Creates a policy. The default of two minutes outlasts a reboot of the service's machine.
        public init(
            giveUpAfter: Duration = .seconds(120),
            initialDelay: Duration = .milliseconds(100),
            maximumDelay: Duration = .seconds(5)
        ) {
            self.giveUpAfter = giveUpAfter
            self.initialDelay = initialDelay
            self.maximumDelay = maximumDelay
        }

        /// Sends each request once and never retries.
        public static let never = RetryPolicy(giveUpAfter: .zero)
    }
}
