import PayloadKey
import Storage
import System

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
    public enum Phase: Int, CaseIterable, Sendable {
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

    /// The web server's id for the request, printable ASCII; `nil` if it sent none.
    public let id: ArraySlice<UInt8>?
    /// The endpoint, once the path is known.
    public internal(set) var endpoint = Endpoint.unknown
    /// The current phase.
    public private(set) var phase = Phase.checking
    /// The time that each completed phase has taken.
    public private(set) var durations = PhaseDurations()
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
    /// Follows the request.
    public var observer: (any RequestObserver)?

    var subject = Subject()
    /// When the request began, in nanoseconds of the machine's monotonic clock (CLOCK_MONOTONIC).
    public let start = monotonicNow()
    private var phaseStart: UInt64
    private var end: UInt64?
    private let timeout: Duration?

    /// Starts the request's time.
    ///
    /// - Parameters:
    ///   - id: the web server's id for the request, printable ASCII.
    ///   - timeout: the time after which the request fails, at its next piece of work before the commit.
    public init(id: ArraySlice<UInt8>? = nil, timeout: Duration? = nil) {
        self.id = id
        self.timeout = timeout
        phaseStart = start
    }

    /// The request's namespace, if it is valid.
    public var namespace: Namespace? { subject.namespace }
    /// The request's digest, if it is valid.
    public var digest: Digest? { subject.digest }
    /// When the request fails, unless its answer is already being sent; `nil` means never.
    public var deadline: ContinuousClock.Instant? { timeout.map { .now + ($0 - age) } }
    /// The time since the request began, until its answer has been sent.
    public var age: Duration { .nanoseconds(nanoseconds) }
    /// The ``age`` in nanoseconds.
    public var nanoseconds: UInt64 { (end ?? monotonicNow()) - start }

    /// Enters a phase, unless the request's time is over.
    func enter(_ next: Phase) throws {
        let now = monotonicNow()
        try checkTime(at: now)
        turn(to: next, at: now)
    }

    func turn(to next: Phase) { turn(to: next, at: monotonicNow()) }

    private func turn(to next: Phase, at now: UInt64) {
        let ended = phase
        let took = endPhase(at: now)
        phase = next
        observer?.phaseEnded(ended, after: took, of: self, at: now)
    }

    /// Ends the last phase, when the answer has been sent.
    public func finish() {
        let now = monotonicNow()
        _ = endPhase(at: now)
        end = now
    }

    private func endPhase(at now: UInt64) -> UInt64 {
        let took = now - phaseStart
        durations.add(took, to: phase)
        phaseStart = now
        return took
    }

    /// Reports a piece of long work.
    ///
    /// - Throws: ``RequestTimeout`` if the request's time is over.
    func advance() throws {
        let now = monotonicNow()
        observer?.advanced(at: now)
        try checkTime(at: now)
    }

    /// Reports that a piece of the answer is being sent, which no timeout interrupts.
    public func sending() { observer?.advanced(at: monotonicNow()) }

    /// Wraps the source of a body, so that reading each piece calls ``advance()``.
    func watching(_ source: @escaping ServiceRequest.BodySource) -> ServiceRequest.BodySource {
        { buffer in
            try self.advance()
            return try source(buffer)
        }
    }

    private func checkTime(at now: UInt64) throws {
        guard let timeout, .nanoseconds(now - start) > timeout else { return }
        isTimedOut = true
        throw RequestTimeout(limit: timeout, phase: phase)
    }

    func committed(_ outcome: CommitOutcome) {
        stored += 1
        if outcome != .created { deduplicated += 1 }
    }
}

/// Follows the progress of requests, one after the other, on the thread that serves them.
public protocol RequestObserver: AnyObject {
    /// A phase has ended; the trace's phase is the next one.
    ///
    /// - Parameters:
    ///   - took: the phase's duration in nanoseconds.
    ///   - now: the time in nanoseconds of the machine's monotonic clock.
    func phaseEnded(_ phase: RequestTrace.Phase, after took: UInt64, of trace: RequestTrace, at now: UInt64)

    /// The request has made progress.
    func advanced(at now: UInt64)
}

/// The time that each completed phase of a request has taken.
public struct PhaseDurations {
    private var nanoseconds = InlineArray<5, UInt64?>(repeating: nil)

    /// The phase's duration; `nil` if it has not been completed.
    public subscript(phase: RequestTrace.Phase) -> Duration? {
        nanoseconds[phase.rawValue].map { .nanoseconds($0) }
    }

    mutating func add(_ duration: UInt64, to phase: RequestTrace.Phase) {
        nanoseconds[phase.rawValue] = (nanoseconds[phase.rawValue] ?? 0) + duration
    }
}

/// A request exceeded its timeout.
struct RequestTimeout: Error, CustomStringConvertible {
    let limit: Duration
    let phase: RequestTrace.Phase

    var description: String { "the request took over \(limit), and was given up while \(phase)" }
}
