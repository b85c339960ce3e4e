import Foundation
import Synchronization
import TestSupport

/// What all parts of the load share: the service, what it has answered, and what came of each request.
final class Load: Sendable {
    /// How many violations are told; a soak that has so many ends.
    private static let mostViolations = 20

    let stack: Stack
    let ledger = Ledger()
    /// Workers that are or were being killed, and those of them that are gone: a request that is under way meanwhile may fail.
    private let killsBegun = Counter()
    private let killsOver = Counter()
    private let counts = Mutex<[String: Int]>([:])
    private let found = Mutex<[String]>([])
    private let end = Mutex(0.0)
    private let start = now()

    init(_ stack: Stack) {
        self.stack = stack
    }

    // MARK: Time

    /// Lets all parts go on for so many seconds.
    func begin(seconds: Double) { end.withLock { $0 = now() + seconds } }
    func stop() { begin(seconds: 0) }
    var isOver: Bool { now() >= end.withLock { $0 } || violations.count >= Self.mostViolations }

    /// Whether a new payload may be kept to the end: these are to grow as evenly as the time passes, 1 GiB in 15 minutes.
    func mayKeep(_ retention: Retention) -> Bool {
        let bytesPerSecond = Double(1 << 30) / (15 * 60) * (retention == .kept ? 0.75 : 0.25)
        return Double(ledger.bytes(retention)) < bytesPerSecond * (now() - start)
    }

    // MARK: Kills

    /// Kills a worker, and comes back when it is gone.
    func kill(_ worker: ChildProcess) {
        killsBegun.add()
        stack.stop(worker, SIGKILL)
        killsOver.add()
    }

    var kills: Int { killsOver.value }

    /// Whether a worker was killed since so many were gone.
    func isKilled(since kills: Int) -> Bool { killsBegun.value > kills }

    // MARK: What came of it

    func count(_ what: String, _ amount: Int = 1) { counts.withLock { $0[what, default: 0] += amount } }

    /// Something happened that must not. An answer that should not be may be anything, and of any length.
    func violation(_ what: String) {
        let line = what.unicodeScalars.prefix(400).filter { $0.isASCII && $0.value >= 32 }
        found.withLock { $0.append(String(String.UnicodeScalarView(line))) }
    }

    func expect(_ isTrue: Bool, _ what: @autoclosure () -> String) { if !isTrue { violation(what()) } }

    var violations: [String] { found.withLock { $0 } }

    var report: String {
        counts.withLock { $0 }.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: "\n")
    }
}

func now() -> Double { Date().timeIntervalSince1970 }
