import FastCGI
import Scoreboard
import Storage

/// The figures of all processes of a pool at one moment.
struct PoolSnapshot {
    let scoreboard: Scoreboard
    /// The start of the pool's first process, and the snapshot's own time, in seconds since 1970.
    let started: UInt64
    let now: UInt64
    let processes: [Scoreboard.PoolProcess]
    /// Waiting connections and their limit, summed over all sockets; `nil` if the kernel does not report them.
    let queue: (waiting: UInt64, limit: UInt64)?
    let store: String
    /// `nil` if the store's file system can't be read; the health check reports that.
    let space: (total: UInt64, free: UInt64)?
    /// Bytes.
    let reserve: UInt64
    let measure: Measure?

    /// Threads with a request, and threads without one.
    var busy: UInt64 { UInt64(processes.flatMap(\.threads).filter { $0.code != Activity.idle.rawValue }.count) }
    var idle: UInt64 { UInt64(processes.flatMap(\.threads).count) - busy }

    init(_ scoreboard: Scoreboard, listeners: [Listener], store: any PayloadStorage, now: UInt64) {
        self.scoreboard = scoreboard
        self.now = now
        started = scoreboard.created
        processes = scoreboard.processes
        let queues = listeners.compactMap { $0.queue() }
        let waiting = queues.map { UInt64($0.waiting) }.reduce(0, +)
        let limit = queues.map { UInt64($0.limit) }.reduce(0, +)
        queue = queues.isEmpty ? nil : (waiting: waiting, limit: limit)
        self.store = store.name
        space = try? store.uploads.space()
        reserve = store.uploads.reserve
        measure = Measure(of: store.name, scoreboard)
    }
}
