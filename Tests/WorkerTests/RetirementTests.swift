import Testing

@testable import lps_worker

@Suite struct RetirementTests {
    /// The request that it is due at, when the process is old enough.
    private func due(_ maximum: UInt64?, within requests: Int, at time: ContinuousClock.Instant = .now + .seconds(3))
        -> Int?
    {
        let retirement = Retirement()
        retirement.set(maximum)
        return (1...requests).first { _ in retirement.isDue(at: time) }
    }

    @Test func `It is due after so many requests and up to a tenth more, not always the same`() {
        let dues = (0..<100).compactMap { _ in due(1000, within: 1200) }
        #expect(dues.count == 100)
        #expect(dues.allSatisfy { (1000...1100).contains($0) })
        #expect(Set(dues).count > 10)
    }

    @Test func `A young process is not due, since supervisors take its end for a failure`() {
        #expect(due(10, within: 1000, at: .now) == nil)
        let retirement = Retirement()
        retirement.set(10)
        for _ in 0..<100 { _ = retirement.isDue(at: .now) }
        #expect(retirement.isDue(at: .now + .seconds(3)), "what it has served by then counts")
    }

    @Test func `Without a limit it is never due`() {
        #expect(due(nil, within: 10_000) == nil)
    }
}
