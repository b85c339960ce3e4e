import PayloadService
import Scoreboard
import System

/// A thread's state on the status page. The numbers are the codes of the scoreboard's rows, on which all processes of a pool
/// agree.
enum Activity: UInt64 {
    case idle
    /// The thread has accepted a connection and reads the request.
    case reading
    case checking, hashing, committing, answering
    /// The thread reads the body of a request to the codec server.
    case parsing

    /// The activity with the phase's name.
    init(_ phase: RequestTrace.Phase) {
        self =
            switch phase {
            case .checking: .checking
            case .parsing: .parsing
            case .hashing: .hashing
            case .committing: .committing
            case .answering: .answering
            }
    }
}

/// Makes one thread's row on the scoreboard follow its requests, and counts how long they hash and commit.
final class ThreadActivity: RequestObserver, @unchecked Sendable {
    // Sendable: only one thread of the pool uses it.
    private let scoreboard: Scoreboard
    private let row: ThreadRow
    private var showsNamespace = false
    private var showsDigest = false

    init(_ scoreboard: Scoreboard, thread: Int) {
        self.scoreboard = scoreboard
        row = scoreboard.row(thread)
    }

    func accepted() { row.begin(Activity.reading.rawValue, at: monotonicNow()) }

    /// Shows a request and follows it.
    func begin(_ call: ServiceRequest, _ trace: RequestTrace) {
        showsNamespace = false
        showsDigest = false
        row.describe(method: call.method.span, path: call.path.span)
        if let id = trace.id { row.describe(id: id.span) }
        row.turn(to: Activity.checking.rawValue, at: trace.start)
        trace.observer = self
    }

    func phaseEnded(_ phase: RequestTrace.Phase, after took: UInt64, of trace: RequestTrace, at now: UInt64) {
        show(trace)
        row.turn(to: Activity(trace.phase).rawValue, at: now)
        switch phase {
        case .hashing: scoreboard.add(took, to: PoolCounter.hash)
        case .committing: scoreboard.add(took, to: PoolCounter.commit)
        case .checking, .parsing, .answering: break
        }
    }

    func advanced(at now: UInt64) { row.touch(at: now) }

    func closed() { row.end(Activity.idle.rawValue, at: monotonicNow()) }

    /// Shows the request's namespace and digest as soon as they are known.
    private func show(_ trace: RequestTrace) {
        if !showsNamespace, let namespace = trace.namespace {
            row.describe(namespace: namespace.utf8.span)
            showsNamespace = true
        }
        if !showsDigest, let digest = trace.digest {
            row.describe(digest: digest.words)
            showsDigest = true
        }
    }
}
