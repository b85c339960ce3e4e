import Foundation
import TestSupport

/// What all parts of the load share.
final class Load: Sendable {
    let stack: Stack
    let gate = Gate()
    let ledger = Ledger()
    let tally = Tally()
    let kills = Kills()
    private let start: Double

    init(_ stack: Stack) {
        self.stack = stack
        start = now()
    }

    /// Whether a new payload may be kept to the end: these are to grow as evenly as the time passes, 1 GiB in 15 minutes.
    func mayKeep(_ retention: Retention) -> Bool {
        let bytesPerSecond = Double(1 << 30) / (15 * 60) * (retention == .kept ? 0.75 : 0.25)
        return Double(ledger.bytes(retention)) < bytesPerSecond * (now() - start)
    }
}

func now() -> Double { Date().timeIntervalSince1970 }
