import DiskStore
import Glibc
import Logging
import PayloadKey
import Storage
import System

/// Operates a store with several concurrent processes, as a seed decides, and compares it with a model.
///
/// It checks the invariants of docs/faults.md ("Simulation") after every operation and every power loss. A seed
/// determines the run.
package final class Simulation {
    /// The reason why a run failed, and the operations before.
    package struct Failure: Error, CustomStringConvertible {
        package let seed: UInt64
        package let steps: Int
        package let reason: String
        package let script: [String]

        package var description: String {
            "seed \(seed), step \(steps): \(reason)\n" + script.map { "  \($0)" }.joined(separator: "\n")
        }
    }

    static let universe = Universe()
    private static let path = "/store"

    private let seed: UInt64
    private let steps: Int
    private let skipped: Set<Int>
    private let options: Options
    let machine: Machine
    var model: Model
    private var processes: [Process] = []
    private var running: [Running] = []
    private var all: [Running] = []
    private var script: [String] = []
    private var step = 0

    /// An actor and its current process.
    private final class Process {
        let actor: Actor
        var kernel: SimulatedKernel
        var store: DiskStore?
        var operation: Running?

        init(_ actor: Actor, _ machine: Machine) {
            self.actor = actor
            kernel = SimulatedKernel(machine, actor)
        }
    }

    private init(seed: UInt64, steps: Int, skipped: Set<Int>, tracesCalls: Bool) {
        self.seed = seed
        self.steps = steps
        self.skipped = skipped
        options = Options(seed: seed)
        machine = Machine(seed: seed)
        machine.tracesCalls = tracesCalls
        model = Model(Self.universe, now: Int(machine.wallClock / 1_000_000))
        machine.onReadError = { [unowned self] node in
            for (content, digest) in Self.universe.digests.enumerated()
            where machine.disk.node(at: Paths.object(digest)) === node { damage(content) }
        }
    }

    /// Runs a seed.
    ///
    /// - Parameters:
    ///   - steps: the number of operations.
    ///   - skipped: the indices of operations to leave out.
    /// - Returns: the number of operations and of system calls.
    /// - Throws: ``Failure``.
    @discardableResult
    package static func run(
        seed: UInt64,
        steps: Int = 100,
        skipped: Set<Int> = [],
        tracesCalls: Bool = false
    ) throws -> (operations: Int, calls: Int) {
        let simulation = Simulation(seed: seed, steps: steps, skipped: skipped, tracesCalls: tracesCalls)
        defer { simulation.end() }
        try simulation.run()
        return (steps - skipped.count, simulation.machine.calls)
    }

    /// Leaves out the operations that a failing run does not need to fail.
    package static func shrink(_ failure: Failure, attempts: Int = 400) -> Failure {
        var best = failure
        var skipped: Set<Int> = []
        var attempts = attempts
        var size = max(1, failure.steps / 2)
        while size >= 1, attempts > 0 {
            var first = 0
            while first < best.steps, attempts > 0 {
                let candidate = skipped.union(first..<min(first + size, best.steps))
                first += size
                guard candidate.count > skipped.count else { continue }
                attempts -= 1
                do {
                    try run(seed: failure.seed, steps: best.steps, skipped: candidate)
                } catch let smaller as Failure {
                    best = smaller
                    skipped = candidate
                } catch {}
            }
            size = size == 1 ? 0 : size / 2
        }
        return best
    }

    // MARK: The run

    private func run() throws {
        for number in 0..<options.actors {
            let process = Process(Actor(number), machine)
            try process.actor.start(machine.scheduler)
            processes.append(process)
        }
        try createStore()
        machine.faultRate = options.faultRate
        while step < steps || !running.isEmpty {
            if step < steps, try beginNext() { continue }
            try turn()
        }
        try finish()
    }

    private func end() {
        for process in processes { kill(process) }
        for process in processes {
            while process.actor.isBusy { machine.scheduler.resume(process.actor) }
            process.store = nil
            process.operation = nil
            process.actor.end()
        }
        // Operations refer to each other: break the cycles.
        for running in all { running.overlaps = [] }
    }

    /// Creates the store; the next try completes an interrupted creation.
    private func createStore() throws {
        let process = processes[0]
        var isMade = false
        let isInterrupted = machine.scheduler.random.chance(1, of: 4)
        for attempt in 0..<2 where !isMade {
            var outcome: Result<Bool, any Error>?
            let kernel = process.kernel
            process.actor.assign {
                outcome = Result { try DiskStore.create(at: Self.path, kernel: kernel) }
            }
            while process.actor.isBusy {
                machine.scheduler.resume(process.actor)
                if attempt == 0, isInterrupted, machine.scheduler.random.chance(1, of: 200) { kill(process) }
            }
            if case .success = outcome {
                isMade = true
            } else if attempt == 1 {
                throw failure("the store can't be created: \(String(describing: outcome))")
            } else if options.losesPower {
                machine.disk.losePower()
            }
            restart(process)
        }
    }

    /// Begins the next operation if it is due.
    private func beginNext() throws -> Bool {
        if skipped.contains(step) {
            step += 1
            return true
        }
        if running.contains(where: { $0.operation.isQuiet }) { return false }
        guard running.isEmpty || machine.scheduler.random.chance(1, of: 3),
            let process = processes.first(where: { $0.operation == nil })
        else { return false }
        var random = SplitMix64(seed: seed &* 1_000_003 &+ UInt64(step))
        let operation = Operation.random(&random, Self.universe, options)
        guard !operation.isQuiet || running.isEmpty else { return false }
        script.append("\(step): \(operation)")
        if machine.tracesCalls { print("\(step): \(operation)") }
        step += 1
        if try happens(operation) { return true }
        begin(operation, process, random)
        return true
    }

    private func begin(_ operation: Operation, _ process: Process, _ random: SplitMix64) {
        let running = Running(operation, step - 1, machine, random)
        for other in self.running {
            other.overlaps.append(running)
            running.overlaps.append(other)
        }
        self.running.append(running)
        all.append(running)
        process.operation = running
        model.begin(running)
        process.actor.assign { [self] in
            running.outcome = Result {
                let store = try openStore(process, running)
                return try running.perform(on: store)
            }
        }
    }

    private func openStore(_ process: Process, _ running: Running) throws -> DiskStore {
        if let store = process.store { return store }
        running.hasOpenedStore = true
        let store = try DiskStore(
            path: Self.path,
            reserve: 0,
            quota: { [machine] namespace in
                Self.universe.namespaces.firstIndex(of: namespace).flatMap { machine.quotas[$0] }
            },
            otherFiles: 256,
            patience: running.random.pick([.seconds(3), .seconds(60)]),
            waitsForCounts: running.random.chance(1, of: 3),
            logger: Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() },
            kernel: process.kernel
        )
        process.store = store
        return store
    }

    /// Gives an actor the turn.
    private func turn() throws {
        let busy = processes.filter { $0.operation != nil }
        var awake = busy.filter { $0.actor.wakes <= machine.scheduler.time }
        if awake.isEmpty {
            let next = busy.map(\.actor.wakes).min() ?? 0
            machine.scheduler.pass(max(0, next - machine.scheduler.time))
            awake = busy.filter { $0.actor.wakes <= machine.scheduler.time }
        }
        let process = awake[machine.scheduler.random.below(awake.count)]
        if options.kills, machine.scheduler.random.chance(1, of: 400) {
            script.append("\(step): kill the process of '\(process.operation?.operation.description ?? "")'")
            kill(process)
        } else if machine.scheduler.random.chance(1, of: 3000) {
            // As after Ctrl-Z or in a frozen cgroup: other processes must not wait for it.
            process.actor.wakes = machine.scheduler.time + 100_000_000
            return
        }
        machine.scheduler.resume(process.actor)
        if !process.actor.isBusy { try complete(process) }
    }

    private func complete(_ process: Process) throws {
        guard let operation = process.operation else { return }
        process.operation = nil
        running.removeAll { $0 === operation }
        operation.isKilled = process.kernel.isDead
        if operation.isKilled { restart(process) }
        // A copy, because completing an operation reads the simulation.
        var model = model
        let reason = model.complete(operation, in: self)
        self.model = model
        if let reason { throw failure("\(operation.operation): \(reason)") }
        try check()
    }

    private func kill(_ process: Process) { process.kernel.kill() }

    private func restart(_ process: Process) {
        process.store = nil
        process.kernel = SimulatedKernel(machine, process.actor)
    }

    private func killAll() throws {
        for process in processes { kill(process) }
        for process in processes {
            while process.actor.isBusy { machine.scheduler.resume(process.actor) }
            if process.operation == nil { restart(process) } else { try complete(process) }
        }
    }

    // MARK: Events of the machine

    private func damage(_ content: Int) {
        model.damagedAt[content] = machine.scheduler.time
        model.lastDamage = machine.scheduler.time
    }

    /// - Returns: `false` if an actor performs the operation.
    private func happens(_ operation: Operation) throws -> Bool {
        let disk = machine.disk
        func object(_ content: Int) -> SimulatedDisk.Node? {
            disk.node(at: Paths.object(Self.universe.digests[content]))
        }
        switch operation {
        case .flipByte(let content):
            guard let node = object(content), !node.content.isEmpty else { return true }
            let position = machine.scheduler.random.below(node.content.count)
            node.content[position] ^= 1
            node.durableContent = node.content
            damage(content)
        case .changeSize(let content):
            guard let node = object(content) else { return true }
            if node.content.isEmpty || machine.scheduler.random.chance(1, of: 2) {
                node.content.append(0)
            } else {
                node.content.removeLast()
            }
            node.durableContent = node.content
            damage(content)
            model.isUsageUnknown = model.isUsageUnknown.map { _ in true }
        case .loseName(let content):
            guard object(content) != nil else { return true }
            let path = Paths.object(Self.universe.digests[content])
            guard let folder = disk.node(at: Paths.folder(of: path)) else { return true }
            let name = Array(Self.universe.digests[content].hex.utf8)
            disk.change([(folder, name, nil)], now: machine.wallClock)
            disk.synchronize(folder: folder)
            damage(content)
            model.isUsageUnknown = model.isUsageUnknown.map { _ in true }
        case .passTime(let seconds):
            // The store removes the files of uploads that take over a day as leftovers.
            machine.scheduler.pass(Int64(running.isEmpty ? seconds : min(seconds, 3600)) * 1_000_000)
        case .setClock(let error): machine.clockError = error
        case .setQuota(let namespace, let quota): machine.quotas[namespace] = quota
        case .killAll: try killAll()
        case .losePower:
            try killAll()
            disk.losePower()
            try check()
        default: return false
        }
        return true
    }

    // MARK: The end

    /// Checks that without further faults, every acknowledged payload can be read and unreferenced content is deleted.
    private func finish() throws {
        try killAll()
        machine.faultRate = 0
        machine.clockError = 0
        // Later than any time that a wrong clock recorded.
        machine.scheduler.pass(200 * 24 * 3600 * 1_000_000)
        try alone(.start)
        try alone(.repair)
        machine.quotas = machine.quotas.map { _ in nil }
        let keysOfContent = Self.universe.namespaces.count * Self.universe.prefixes.count
        for content in Self.universe.contents.indices { try alone(.put(key: content * keysOfContent)) }
        try alone(.scrub)
        for key in Self.universe.keys.indices { try alone(.get(key: key)) }
        try alone(.collect(KeySelection(), age: 400 * 24 * 3600, keepTrash: nil, digestsInMemory: 3))
        try alone(.repair)
        for namespace in Self.universe.namespaces.indices {
            try alone(.recount(namespace: namespace))
            try alone(.checkUsage(namespace: namespace))
        }
    }

    private func alone(_ operation: Operation) throws {
        script.append("end: \(operation)")
        if machine.tracesCalls { print("end: \(operation)") }
        let process = processes[0]
        step += 1
        begin(operation, process, SplitMix64(seed: seed))
        while process.actor.isBusy {
            machine.scheduler.pass(max(0, process.actor.wakes - machine.scheduler.time))
            machine.scheduler.resume(process.actor)
        }
        try complete(process)
    }

    // MARK: Failures

    func failure(_ reason: String) -> Failure {
        Failure(seed: seed, steps: min(step, steps), reason: reason, script: script)
    }
}
