import FoundationEssentials
import Logging
import Metrics
import PayloadKey

extension LargePayloadCodec {
    /// What a codec is told to do; everything but URL and namespace has a default.
    public struct Options: Sendable {
        /// A header field that goes with each request.
        public struct Header: Sendable, Equatable {
            /// The field's name, a token of RFC 9110 section 5.6.2.
            public var name: String
            /// The field's value, without controls.
            public var value: String

            /// Makes a header field.
            public init(_ name: String, _ value: String) {
                self.name = name
                self.value = value
            }
        }

        /// Goes around each request, every attempt of it: may change what is sent, and see what is answered.
        ///
        /// What it throws itself ends the call; what `next` throws may be passed on, and is then retried where that helps.
        public typealias Hook =
            @Sendable (
                _ request: CodecRequest,
                _ next: @Sendable (CodecRequest) async throws -> CodecResponse
            ) async throws -> CodecResponse

        /// Where the service is: `https://HOST`, with a path when it is below one. Required.
        ///
        /// `http+unix://%2Frun%2Flps.sock` and `https+unix://…` reach a unix socket.
        public var url: String
        /// The Temporal namespace that payloads are stored for. Required.
        public var namespace: String
        /// A payload is uploaded when its serialized size is over this; bytes.
        ///
        /// A small value makes many requests: each payload of a history is fetched again when the history is replayed.
        public var minimumSize = PayloadReference.defaultMinimumSize
        /// What sends the requests; `nil` for a client that all codecs of the process share.
        public var transport: (any CodecTransport)?
        /// Goes around each request, for authentication or tracing.
        public var hook: Hook?
        /// Header fields that go with each request; a name may be there several times.
        public var headers: [Header] = []
        /// The version of the service's API; `v2` is the only one.
        public var apiVersion = PayloadReference.version
        /// Whether large payloads are only fetched, and what is encoded passes through.
        public var isDecodeOnly = false
        /// Whether a codec may be made while the service is away. It is asked for ten seconds at most otherwise.
        public var skipsHealthCheck = false
        /// How many payloads of one call are sent side by side.
        public var maximumConcurrentRequests = 4
        /// How long one attempt of a request may take, from connecting to the answer's last byte.
        public var requestTimeout: Duration = .seconds(60)
        /// What is done about failures that pass.
        public var retries = RetryPolicy()
        /// Bytes of decoded payloads that are kept in memory; 0 keeps none.
        ///
        /// Replaying a history fetches the same payloads again: a cache that holds those of the workflows that run at
        /// once saves these requests.
        public var cacheSize = 0
        /// Where requests (debug) and retries (warning) are logged; `nil` for nowhere.
        public var logger: Logger?
        /// Where metrics are kept; `nil` for nowhere.
        public var metrics: (any MetricsFactory)?

        /// Makes options with the defaults.
        public init(url: String, namespace: String) {
            self.url = url
            self.namespace = namespace
        }
    }
}

extension LargePayloadCodec {
    /// What is done about failures that pass: no answer, and the statuses 429, 502, 503 and 504.
    ///
    /// Every request of the service may be sent again. The delay before an attempt is random, up to a limit that doubles
    /// from attempt to attempt; an answer's `Retry-After` is waited for, up to ``maximumDelay`` and half as long again.
    public struct RetryPolicy: Sendable, Equatable {
        /// How long a request may take with all its attempts, from when it is first sent; zero sends it once.
        ///
        /// A worker of the Swift Temporal SDK ends when its codec throws while a workflow's task is decoded: let it be
        /// longer than what the service may be away for.
        public var giveUpAfter: Duration
        /// The longest delay before the second attempt.
        public var initialDelay: Duration
        /// The longest delay before any attempt.
        public var maximumDelay: Duration

        /// Makes a policy; the default one outlasts a restart of the machine that the service is on.
        public init(
            giveUpAfter: Duration = .seconds(120),
            initialDelay: Duration = .milliseconds(100),
            maximumDelay: Duration = .seconds(5)
        ) {
            self.giveUpAfter = giveUpAfter
            self.initialDelay = initialDelay
            self.maximumDelay = maximumDelay
        }

        /// Sends each request once.
        public static let never = RetryPolicy(giveUpAfter: .zero)
    }
}
