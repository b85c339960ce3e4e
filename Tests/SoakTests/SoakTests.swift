import Foundation
import TestSupport
import Testing

/// `make soak`: a mixed load for minutes, while everything happens that may happen to a service.
@Suite struct SoakTests {
    private static let minutes = ProcessInfo.processInfo.environment["LPS_SOAK_MINUTES"].flatMap { Double($0) }

    @Test(.enabled(if: minutes != nil, "make soak MINUTES=15"))
    func `Whatever happens meanwhile, no answered payload is lost, and nothing grows`() throws {
        let soak = try Soak(minutes: try #require(Self.minutes))
        try soak.run()
        try soak.verify()
        print(soak.report)
        for violation in soak.violations { Issue.record("\(violation)") }
    }
}
