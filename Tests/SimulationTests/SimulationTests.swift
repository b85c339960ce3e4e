import Simulation
import Testing

/// Runs random operations on a disk store, interleaved at each system call, with kills, power losses, failing calls,
/// damage and wrong clocks, and checks the results against a model (Tests/Simulation, docs/faults.md).
@Suite(.timeLimit(.minutes(30))) struct SimulationTests {
    private static let seedsInABatch: UInt64 = 25

    @Test(arguments: 0..<4 as Range<UInt64>)
    func `Nothing that was acknowledged is lost, and nothing else is kept`(batch: UInt64) {
        for seed in batch * Self.seedsInABatch..<(batch + 1) * Self.seedsInABatch {
            do {
                try Simulation.run(seed: seed)
            } catch let failure as Simulation.Failure {
                Issue.record("\(failure)\nshrunk:\n\(Simulation.shrink(failure, attempts: 100))")
            } catch {
                Issue.record("\(error)")
            }
        }
    }

    /// 28588: the clock is set back while its time is recorded. 40251: an interrupted creation is repeated.
    @Test(arguments: [28588, 40251] as [UInt64])
    func `Seeds that once found a bug pass`(seed: UInt64) throws {
        try Simulation.run(seed: seed)
    }

    @Test func `A seed determines the run`() throws {
        let first = try Simulation.run(seed: 7)
        let second = try Simulation.run(seed: 7)
        #expect(first.calls == second.calls)
    }
}
