import Foundation

/// Counts what was done and what came of it, and keeps what must not have been.
final class Tally: @unchecked Sendable {
    /// How many violations are told; a soak that has so many ends.
    static let kept = 20

    // Guarded by the lock.
    private var outcomes: [String: [String: Int]] = [:]
    private var sums: [String: Int] = [:]
    private var violations: [String] = []
    private var violationCount = 0
    private let lock = NSLock()

    /// A request of some kind, and its status, or another word for what came.
    func count(_ kind: String, _ outcome: String) {
        lock.withLock { outcomes[kind, default: [:]][outcome, default: 0] += 1 }
    }

    func add(_ what: String, _ amount: Int = 1) { lock.withLock { sums[what, default: 0] += amount } }

    func sum(_ what: String) -> Int { lock.withLock { sums[what] ?? 0 } }

    /// Something happened that must not; the first are kept.
    func violation(_ what: String) {
        lock.withLock {
            violationCount += 1
            if violations.count < Self.kept { violations.append(Self.line(what)) }
        }
    }

    /// An answer that should not be may be anything, and of any length.
    private static func line(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.prefix(400).filter { $0.isASCII && $0.value >= 32 }))
    }

    var firstViolations: [String] { lock.withLock { violations } }
    var countOfViolations: Int { lock.withLock { violationCount } }

    /// How many requests of a kind there were, with any outcome.
    func requests(_ kind: String) -> Int {
        lock.withLock { outcomes[kind]?.values.reduce(0, +) ?? 0 }
    }

    /// A line for each kind, with its outcomes.
    var requestLines: [String] {
        lock.withLock {
            outcomes.sorted { $0.key < $1.key }.map { kind, outcomes in
                let counts = outcomes.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
                return kind.padding(toLength: 46, withPad: " ", startingAt: 0) + counts.joined(separator: ", ")
            }
        }
    }

    var sumLines: [String] {
        lock.withLock {
            sums.sorted { $0.key < $1.key }.map {
                $0.key.padding(toLength: 46, withPad: " ", startingAt: 0) + "\($0.value)"
            }
        }
    }
}

/// The workers that were killed: a request that was under way then may fail.
final class Kills: @unchecked Sendable {
    // Guarded by the lock.
    private var begun = 0
    private var over = 0
    private let lock = NSLock()

    /// Kills a worker, and comes back when it is gone.
    func kill(_ body: () -> Void) {
        lock.withLock { begun += 1 }
        body()
        lock.withLock { over += 1 }
    }

    /// How many were gone.
    var past: Int { lock.withLock { over } }

    /// Whether one was killed since so many were gone.
    func isKilled(since past: Int) -> Bool { lock.withLock { begun > past } }
}
