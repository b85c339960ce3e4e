import Glibc
import System

/// Lets one thread run at a time, and decides at each system call whose turn is next.
///
/// The baton goes from the coordinator to an actor and back. Whoever has it may use everything of the simulation, so that
/// nothing of it needs a lock of its own.
final class Scheduler: @unchecked Sendable {
    // Safe to share: only the thread that has the baton touches what changes, and a semaphore hands it on.

    /// The simulated time, in microseconds since the start; it passes with each call.
    private(set) var time: Int64 = 0
    var random: SplitMix64
    /// An actor goes on at a call without giving the baton back but once in so many calls.
    private let switching: Int
    private let coordinator = Semaphore()

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
        switching = [1, 2, 5, 20, 200][random.below(5)]
    }

    func pass(_ microseconds: Int64) { time += microseconds }

    /// Gives the baton to an actor, and waits until it comes back.
    func resume(_ actor: Actor) {
        actor.turn.signal()
        coordinator.wait()
    }

    /// Gives the baton back, at the end of an operation.
    func finish() { coordinator.signal() }

    /// A point at which another actor may be next.
    func reach(_ actor: Actor, mustYield: Bool = false) {
        time += 20
        guard mustYield || random.chance(1, of: switching) else { return }
        coordinator.signal()
        actor.turn.wait()
    }
}

/// A counting semaphore of the system (sem_overview(7)).
final class Semaphore: @unchecked Sendable {
    // Safe to share: a semaphore is made for it, and its address never changes.
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() { sem_init(semaphore, 0, 0) }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func signal() { sem_post(semaphore) }
    func wait() { while sem_wait(semaphore) != 0 {} }
}

/// A thread that runs operations one after the other, each a process's or a part of it.
final class Actor: @unchecked Sendable {
    // Safe to share: only the thread that has the baton touches what changes.
    let number: Int
    let turn = Semaphore()
    /// Until when it sleeps, in simulated microseconds.
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
