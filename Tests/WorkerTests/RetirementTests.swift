import Testing

@testable import lps_worker

@Suite struct RetirementTests {
    /// The request at which a process is due for restart, if it is old enough.
    private func due(_ maximum: UInt64?, within requests: Int, at time: ContinuousClock.Instant = .now + .seconds(3))
        -> Int?
    {
        let retirement = Retirement()
        retirement.set(maximum)
        return (1...requests).first { _ in retirement.isDue(at: time) }
    }

    @Test func `A process is due after N requests and a random part of a tenth more`() {
        let dues = (0..<100).compactMap { _ in due(1000, within: 1200) }
        #expect(dues.count == 100)
        #expect(dues.allSatisfy { (1000...1100).contains($0) })
        #expect(Set(dues).count > 10)
    }

    @Test func `A young process is not due, since supervisors treat its early exit as a failure`() {
        #expect(due(10, within: 1000, at: .now) == nil)
        let retirement = Retirement()
        retirement.set(10)
        for _ in 0..<100 { _ = retirement.isDue(at: .now) }
        #expect(retirement.isDue(at: .now + .seconds(3)), "requests served earlier count")
    }

    @Test func `Without a limit a process is never due`() {
        #expect(due(nil, within: 10_000) == nil)
    }
}
