import PayloadKey
import Storage

/// Records one request's progress and outcome, for the logs and the status page. Only the thread that serves the request
/// uses it.
public final class RequestTrace {
    /// The operation that a request names.
    public enum Endpoint: String, CaseIterable, Sendable {
        case ping, health, put, get, encode, decode, download
        /// The path is none of the service's.
        case unknown
    }

    /// The phases of a request, in this order. A request to the codec server hashes and commits payload by payload.
    public enum Phase: String, CaseIterable, Sendable {
        /// Reading header fields and opening files.
        case checking
        /// Reading the body of a request to the codec server.
        case parsing
        /// Reading an upload to compute its digest, and writing it if the web server has not.
        case hashing
        /// Making the content durable under its key.
        case committing
        /// Making and sending the answer.
        case answering
    }

    /// The web server's id for the request; `nil` if it sent none.
    public let id: String?
    /// The endpoint, once the path is known.
    public internal(set) var endpoint = Endpoint.unknown
    /// The current phase.
    public private(set) var phase = Phase.checking
    /// The time that each completed phase has taken.
    public private(set) var durations: [Phase: Duration] = [:]
    /// Bytes of verified payloads that were received.
    public internal(set) var bytesIn: UInt64 = 0
    /// Bytes of payloads in the answer, or that the web server was told to send.
    public internal(set) var bytesOut: UInt64 = 0
    /// The number of payloads stored, new or not.
    public private(set) var stored = 0
    /// The number of payloads stored whose content was already in the store.
    public private(set) var deduplicated = 0
    /// The number of uploads that did not match their digest or length.
    public internal(set) var mismatches = 0
    /// Whether the request exceeded its timeout.
    public private(set) var isTimedOut = false
    /// Called when a phase ends, with the time it took; ``phase`` is the next one by then.
    public var onPhase: (_ ended: Phase, _ took: Duration) -> Void = { _, _ in }
    /// Called after each piece of long work.
    public var onPiece: () -> Void = {}

    var subject = Subject()
    private let start = ContinuousClock.now
    private var phaseStart: ContinuousClock.Instant
    private let timeout: Duration?

    /// Starts the request's time.
    ///
    /// - Parameters:
    ///   - id: the web server's id for the request, printable ASCII.
    ///   - timeout: the time after which the request fails, at its next piece of work before the commit.
    public init(id: String? = nil, timeout: Duration? = nil) {
        self.id = id
        self.timeout = timeout
        phaseStart = start
    }

    /// The request's namespace, if it is valid.
    public var namespace: Namespace? { subject.namespace }
    /// The request's digest, if it is valid.
    public var digest: Digest? { subject.digest }
    /// When the request fails, unless its answer is already being sent; `nil` means never.
    public var deadline: ContinuousClock.Instant? { timeout.map { start + $0 } }
    /// The time since the request began.
    public var age: Duration { start.duration(to: .now) }

    /// Enters a phase, unless the request's time is over.
    func enter(_ next: Phase) throws {
        try checkTime()
        turn(to: next)
    }

    func turn(to next: Phase) {
        let now = ContinuousClock.now
        let took = phaseStart.duration(to: now)
        let ended = phase
        durations[ended, default: .zero] += took
        phaseStart = now
        phase = next
        onPhase(ended, took)
    }

    /// Ends the last phase, when the answer has been sent.
    public func finish() {
        durations[phase, default: .zero] += phaseStart.duration(to: .now)
        phaseStart = .now
    }

    /// Reports a piece of long work.
    ///
    /// - Throws: ``RequestTimeout`` if the request's time is over.
    func advance() throws {
        onPiece()
        try checkTime()
    }

    /// Wraps the source of a body, so that reading each piece calls ``advance()``.
    func watching(_ source: @escaping ServiceRequest.BodySource) -> ServiceRequest.BodySource {
        { buffer in
            try self.advance()
            return try source(buffer)
        }
    }

    private func checkTime() throws {
        guard let timeout, age > timeout else { return }
        isTimedOut = true
        throw RequestTimeout(limit: timeout, phase: phase)
    }

    func committed(_ outcome: CommitOutcome) {
        stored += 1
        if outcome != .created { deduplicated += 1 }
    }
}

/// A request exceeded its timeout.
struct RequestTimeout: Error, CustomStringConvertible {
    let limit: Duration
    let phase: RequestTrace.Phase

    var description: String { "the request took over \(limit), and was given up while \(phase)" }
}
