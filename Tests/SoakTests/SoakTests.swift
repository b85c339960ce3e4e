import Foundation
import TestSupport
import Testing

/// `make soak`: a mixed load for minutes, during restarts, kills, reloads, garbage collections and scrubs.
@Suite struct SoakTests {
    private static let minutes = ProcessInfo.processInfo.environment["LPS_SOAK_MINUTES"].flatMap { Double($0) }

    @Test(.enabled(if: minutes != nil, "make soak MINUTES=15"))
    func `Under load and disturbances no acknowledged payload is lost, and no process grows`() throws {
        let soak = try Soak(minutes: try #require(Self.minutes))
        try soak.run()
        try soak.verify()
        print(soak.report)
        for violation in soak.violations { Issue.record("\(violation)") }
    }
}
