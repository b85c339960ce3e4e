import Glibc
import System

/// Runs one thread at a time, and decides at each system call which one is next.
///
/// The turn passes from the coordinator to an actor and back. Only the thread whose turn it is accesses the
/// simulation's state, so the state needs no locks.
final class Scheduler: @unchecked Sendable {
    // Safe to share: only the thread whose turn it is accesses mutable state, and a semaphore passes the turn on.

    /// The simulated time in microseconds since the start; each call advances it.
    private(set) var time: Int64 = 0
    var random: SplitMix64
    /// An actor gives up its turn at one in this many calls.
    private let switching: Int
    private let coordinator = Semaphore()

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
        switching = [1, 2, 5, 20, 200][random.below(5)]
    }

    func pass(_ microseconds: Int64) { time += microseconds }

    /// Gives an actor the turn, and waits until it returns.
    func resume(_ actor: Actor) {
        actor.turn.signal()
        coordinator.wait()
    }

    /// Returns the turn to the coordinator at the end of an operation.
    func finish() { coordinator.signal() }

    /// A point where the turn may pass to another actor.
    func reach(_ actor: Actor, mustYield: Bool = false) {
        time += 20
        guard mustYield || random.chance(1, of: switching) else { return }
        coordinator.signal()
        actor.turn.wait()
    }
}

/// A POSIX semaphore (sem_overview(7)).
final class Semaphore: @unchecked Sendable {
    // Safe to share: a semaphore is thread-safe, and its address never changes.
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() { sem_init(semaphore, 0, 0) }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func signal() { sem_post(semaphore) }
    func wait() { while sem_wait(semaphore) != 0 {} }
}

/// A thread that runs the operations of a process one after the other.
final class Actor: @unchecked Sendable {
    // Safe to share: only the thread whose turn it is accesses mutable state.
    let number: Int
    let turn = Semaphore()
    /// The end of its sleep, in simulated microseconds.
    var wakes: Int64 = 0
    var isBusy: Bool { work != nil }
    private var work: (() -> Void)?
    private var isEnded = false
    private var thread: WorkerThread?

    init(_ number: Int) { self.number = number }

    func start(_ scheduler: Scheduler) throws {
        thread = try WorkerThread { [self] in
            while true {
                turn.wait()
                if isEnded { return }
                work?()
                work = nil
                scheduler.finish()
            }
        }
    }

    func assign(_ work: @escaping () -> Void) { self.work = work }

    func end() {
        isEnded = true
        turn.signal()
        thread?.join()
    }
}
