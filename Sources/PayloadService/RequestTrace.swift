import PayloadKey
import Storage

/// What is known of one request while it is served, and of what became of it: for the log, the web server's access log,
/// and whoever watches the service. Belongs to the thread that serves the request.
public final class RequestTrace {
    /// What a request asks for.
    public enum Endpoint: String, CaseIterable, Sendable {
        case ping, health, put, get, encode, decode, download
        /// None of the paths that the service has.
        case unknown
    }

    /// What takes a request's time, in this order; a request to the codec server hashes and commits payload by payload.
    public enum Phase: String, CaseIterable, Sendable {
        /// Reading header fields, opening files.
        case checking
        /// Reading the body of a request to the codec server.
        case parsing
        /// Reading an upload for its digest, and where the web server has not written it, writing it.
        case hashing
        /// Waiting until content and names are on disk.
        case committing
        /// Making and sending the answer.
        case answering
    }

    /// The web server's name for the request; `nil` when it gave none.
    public let id: String?
    /// What the request asks for.
    public internal(set) var endpoint = Endpoint.unknown
    /// The phase that it is in.
    public private(set) var phase = Phase.checking
    /// How long each phase has taken so far.
    public private(set) var durations: [Phase: Duration] = [:]
    /// Bytes of payloads that were taken in and verified.
    public internal(set) var bytesIn: UInt64 = 0
    /// Bytes of payloads that the answer has, or that the web server was told to send.
    public internal(set) var bytesOut: UInt64 = 0
    /// Payloads that were stored, new or not.
    public private(set) var stored = 0
    /// Payloads that were stored, of which the store had the content already.
    public private(set) var deduplicated = 0
    /// Uploads that were not what was announced.
    public internal(set) var mismatches = 0
    /// Whether the request was given up since it took too long.
    public private(set) var isTimedOut = false
    /// Called when a phase has ended, with the time that it took; ``phase`` is the next one.
    public var onPhase: (_ ended: Phase, _ took: Duration) -> Void = { _, _ in }
    /// Called with each piece of long work.
    public var onPiece: () -> Void = {}

    var subject = Subject()
    private let start = ContinuousClock.now
    private var phaseStart: ContinuousClock.Instant
    private let timeout: Duration?

    /// Begins now.
    ///
    /// - Parameters:
    ///   - id: the web server's name for the request, printable ASCII.
    ///   - timeout: the time after which the request is given up, at the next piece of an upload, before a commit.
    public init(id: String? = nil, timeout: Duration? = nil) {
        self.id = id
        self.timeout = timeout
        phaseStart = start
    }

    /// The namespace that the request names, when it is a valid one.
    public var namespace: Namespace? { subject.namespace }
    /// The digest that the request names, when it is a valid one.
    public var digest: Digest? { subject.digest }
    /// When the request is given up, unless its answer is being sent by then; `nil`: never.
    public var deadline: ContinuousClock.Instant? { timeout.map { start + $0 } }
    /// The time since the request began.
    public var age: Duration { start.duration(to: .now) }

    /// Turns to work that a request whose time is over is not worth.
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

    /// The answer is sent.
    public func finish() {
        durations[phase, default: .zero] += phaseStart.duration(to: .now)
        phaseStart = .now
    }

    /// A piece of long work is done. Makes sure that the request has not taken longer than it may.
    func advance() throws {
        onPiece()
        try checkTime()
    }

    /// The source of a body, each piece of which is a piece of long work.
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

/// A request took longer than it may.
struct RequestTimeout: Error, CustomStringConvertible {
    let limit: Duration
    let phase: RequestTrace.Phase

    var description: String { "the request took over \(limit), and was given up while \(phase)" }
}
