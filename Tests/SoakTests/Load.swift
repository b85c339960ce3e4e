import Foundation
import Synchronization
import TestSupport

/// The state that all parts of the load share: the service, the ledger, counts and violations.
final class Load: Sendable {
    /// The soak ends after this number of violations.
    private static let mostViolations = 20

    let stack: Stack
    let ledger = Ledger()
    /// Kills that have begun, and those that are over. A request may fail while a worker is being killed.
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

    /// Runs all parts for a number of seconds.
    func begin(seconds: Double) { end.withLock { $0 = now() + seconds } }
    func stop() { begin(seconds: 0) }
    var isOver: Bool { now() >= end.withLock { $0 } || violations.count >= Self.mostViolations }

    /// Whether a new payload may be kept to the end. Kept payloads grow at a constant rate, 1 GiB in 15 minutes.
    func mayKeep(_ retention: Retention) -> Bool {
        let bytesPerSecond = Double(1 << 30) / (15 * 60) * (retention == .kept ? 0.75 : 0.25)
        return Double(ledger.bytes(retention)) < bytesPerSecond * (now() - start)
    }

    // MARK: Kills

    /// Kills a worker, and waits for its end.
    func kill(_ worker: ChildProcess) {
        killsBegun.add()
        stack.stop(worker, SIGKILL)
        killsOver.add()
    }

    var kills: Int { killsOver.value }

    /// Whether a kill has begun after the first `kills` ended.
    func isKilled(since kills: Int) -> Bool { killsBegun.value > kills }

    // MARK: Results

    func count(_ what: String, _ amount: Int = 1) { counts.withLock { $0[what, default: 0] += amount } }

    /// Records a violation. An unexpected answer can contain anything, so the text is shortened and filtered.
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
