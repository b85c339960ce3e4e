#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
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
        /// can help. ``CodecRetryError`` asks for another attempt. Any other error that the hook throws ends the call.
        ///
        /// ``requestTimeout`` includes the hook. At the limit, the codec cancels the hook's task and does not wait for
        /// it to end.
        public typealias Hook =
            @Sendable (
                _ request: CodecRequest,
                _ next: @Sendable (CodecRequest) async throws -> CodecResponse
            ) async throws -> CodecResponse

        /// What the codec does with a payload that it cannot store or fetch, if waiting does not cure that.
        public enum PermanentFailures: Sendable, Equatable {
            /// The payload gets an `encoding` that no converter knows and that contains the message.
            ///
            /// Only the code that uses the payload fails. ``LargePayloadCodec/failureMessage(of:)`` returns the message.
            /// `decode` keeps the reference otherwise, so the payload can be fetched later. `encode` drops the data.
            case replacePayload
            /// `encode` and `decode` throw ``LargePayloadCodecError``.
            case throwError
        }

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
        ///
        /// To trust your own certificate authority, or to present a client certificate, set it to
        /// ``HTTPClientTransport/init(authorityFile:certificateFile:keyFile:)``.
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
        /// A codec checks that the service can store payloads, or, if it only decodes, that it answers downloads.
        /// Set it if a worker must start while the service is unavailable. The check takes up to ten seconds, or up to
        /// ``requestTimeout`` if retries are disabled.
        public var skipsHealthCheck = false
        /// The maximum number of requests that the codec sends concurrently, of all calls together. The default is 16.
        ///
        /// Others wait for their turn, in the order of arrival. The wait counts towards no time limit and is in no
        /// metric. nginx allows 128 concurrent requests on an HTTP/2 connection.
        public var maximumConcurrentRequests = 16
        /// The maximum size in bytes of a payload to download. The default is 1 GiB, like the service's for uploads.
        ///
        /// `decode` refuses a reference to a larger payload without sending a request. A payload is held in memory.
        public var maximumDownloadSize = 1 << 30
        /// What to do about a payload that cannot be stored or fetched. The default is to replace it.
        ///
        /// This concerns failures of one payload that waiting does not cure: the service refuses it (for example 404,
        /// 403, 412 or 413, or 507 until the end of the retries), its content differs from the reference, the reference
        /// is malformed, of an unknown version or over ``maximumDownloadSize``. If the service cannot be reached, or
        /// answers 429, 502, 503 or 504, until the end of the retries, `encode` and `decode` always throw.
        ///
        /// A worker of the Swift Temporal SDK terminates if its codec throws while decoding a workflow task, and drops
        /// the completion of a workflow task, whose workflow then hangs, if its codec throws while encoding it. So keep
        /// the default in workers. In clients, ``PermanentFailures/throwError`` reports a failed upload at once, before
        /// a workflow starts with an input that cannot be read. The library's overview lists what a user sees.
        public var permanentFailures = PermanentFailures.replacePayload
        /// The time limit of one attempt, from connecting to the last byte of the answer. The default is 60 seconds.
        public var requestTimeout: Duration = .seconds(60)
        /// When and how long to retry. The default retries for two minutes.
        public var retries = RetryPolicy()
        /// The size in bytes of an in-memory cache of uploaded and downloaded payloads. The default, 0, disables it.
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
    /// A failure is transient if no answer came, or if the status is 429, 502, 503 or 504. Uploads are also repeated
    /// after 500 and 507. Every request is safe to repeat. The delay before an attempt is random, between zero and a
    /// limit that starts at ``initialDelay`` and doubles with each attempt up to ``maximumDelay``. If the answer has a
    /// `Retry-After` in seconds, the codec waits that long instead, but at most ``maximumDelay``, plus up to half of
    /// that at random.
    public struct RetryPolicy: Sendable, Equatable {
        /// The time limit of a request with all its attempts, without its waits for a turn. Zero sends each request
        /// once.
        ///
        /// A worker of the Swift Temporal SDK terminates if its codec throws while decoding a workflow task. Choose a
        /// limit longer than any outage of the service that you want workers to survive.
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
