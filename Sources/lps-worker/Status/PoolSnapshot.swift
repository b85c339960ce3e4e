import FastCGI
import Scoreboard
import Storage

/// What a pool has done and is doing, at one moment, over all of its processes.
struct PoolSnapshot {
    let scoreboard: Scoreboard
    /// When the pool's first process started, and now, in seconds since 1970.
    let started: UInt64
    let now: UInt64
    let processes: [Scoreboard.PoolProcess]
    /// Connections that wait, and that may, over all sockets; `nil` when the kernel does not tell.
    let queue: (waiting: UInt64, limit: UInt64)?
    /// The store's name.
    let store: String
    /// `nil` for a store that can't be asked, which is the health check's to report.
    let space: (total: UInt64, free: UInt64)?
    /// Bytes.
    let reserve: UInt64
    let measure: Measure?

    /// Threads that have a request, and that have none.
    var busy: UInt64 { UInt64(processes.flatMap(\.threads).filter { $0.code != Activity.idle.code }.count) }
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
