import Testing

@testable import lps_worker

@Suite struct RetirementTests {
    /// The request that it is due at.
    private func due(_ maximum: UInt64?, within requests: Int) -> Int? {
        let retirement = Retirement()
        retirement.set(maximum)
        return (1...requests).first { _ in retirement.isDue() }
    }

    @Test func `It is due after so many requests and up to a tenth more, not always the same`() {
        let dues = (0..<100).compactMap { _ in due(1000, within: 1200) }
        #expect(dues.count == 100)
        #expect(dues.allSatisfy { (1000...1100).contains($0) })
        #expect(Set(dues).count > 10)
    }

    @Test func `Without a limit it is never due`() {
        #expect(due(nil, within: 10_000) == nil)
    }
}
