import Simulation
import Testing

/// Sequences of all operations of a store on a disk, interleaved at each system call, with kills, power losses, failing
/// calls, damage and wrong clocks, checked against a model (Tests/Simulation, docs/faults.md).
@Suite("A simulated store")
struct SimulationTests {
    private static let seedsInABatch: UInt64 = 25

    @Test(
        "Nothing that was answered is lost, and nothing else is kept, whatever happens",
        arguments: 0..<4 as Range<UInt64>
    )
    func invariantsHold(batch: UInt64) {
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

    /// 28588: the clock is set back while its time is recorded. 40251: a store whose making was cut off at its very end is
    /// made again.
    @Test("Seeds that have found a fault hold", arguments: [28588, 40251] as [UInt64])
    func mendedFaults(seed: UInt64) throws {
        try Simulation.run(seed: seed)
    }

    @Test("A seed gives the same run again")
    func runsAreRepeatable() throws {
        let first = try Simulation.run(seed: 7)
        let second = try Simulation.run(seed: 7)
        #expect(first.calls == second.calls)
    }
}
