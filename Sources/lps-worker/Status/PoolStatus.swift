import FastCGI
import PayloadService
import Storage
import Scoreboard
import Version

/// What a pool has done and is doing, at one moment, over all of its processes.
struct PoolStatus: Encodable {
    struct Requests: Encodable {
        let endpoint: String
        /// `other` for a status that this version does not count by itself.
        let status: String
        let count: UInt64
    }

    struct Endpoint: Encodable {
        let endpoint: String
        let duration: DurationCounts
    }

    struct Process: Encodable {
        let pid: UInt64
        let started: UInt64
        /// `nil` where nobody asked for them.
        var threads: [Thread]?
    }

    struct Thread: Encodable {
        let state: Activity
        /// Seconds for which it has been in this state.
        let stateSeconds: Double
        /// Seconds for which it has had its request.
        let requestSeconds: Double?
        let requests: UInt64
        let method: String?
        let path: String?
        let namespace: String?
        let digest: String?
        let requestID: String?
    }

    struct Queue: Encodable {
        let waiting: UInt32
        let limit: UInt32
    }

    struct Store: Encodable {
        let path: String
        let filesystemBytes: UInt64?
        let freeBytes: UInt64?
        let reserveBytes: UInt64
        /// As last measured; `nil` when that was never done.
        let objects: UInt64?
        let bytes: UInt64?
        let measured: UInt64?
    }

    let version: String
    /// When the pool's first process started, and now, in seconds since 1970.
    let started: UInt64
    let now: UInt64
    var processes: [Process]
    let threadsBusy: Int
    let threadsIdle: Int
    let starts: UInt64
    let restarts: UInt64
    let deaths: UInt64
    let retirements: UInt64
    /// `nil` when the kernel does not tell.
    let listenQueue: Queue?
    let requests: [Requests]
    let endpoints: [Endpoint]
    let hash: DurationCounts
    let commit: DurationCounts
    let bytesIn: UInt64
    let bytesOut: UInt64
    let payloadsStored: UInt64
    let payloadsDeduplicated: UInt64
    let checksumMismatches: UInt64
    let slowRequests: UInt64
    let timeouts: UInt64
    let store: Store

    var withoutThreads: PoolStatus {
        var status = self
        for index in status.processes.indices { status.processes[index].threads = nil }
        return status
    }

    init(_ scoreboard: Scoreboard, listeners: [Listener], store: any PayloadStorage, now: UInt64) {
        func total(_ counter: PoolCounter) -> UInt64 { scoreboard.total(counter.rawValue) }
        version = Version.version
        started = scoreboard.created
        self.now = now
        let clock = monotonicNow()
        processes = scoreboard.processes.map { process in
            Process(pid: process.pid, started: process.started, threads: process.threads.map { Thread($0, clock) })
        }
        let threads = processes.flatMap { $0.threads ?? [] }
        threadsBusy = threads.count { $0.state != .idle }
        threadsIdle = threads.count - threadsBusy
        starts = scoreboard.starts.all
        restarts = scoreboard.starts.again
        deaths = scoreboard.deaths
        retirements = total(.retirements)
        let queues = listeners.compactMap { $0.queue() }
        listenQueue =
            queues.isEmpty
            ? nil
            : Queue(waiting: queues.map(\.waiting).reduce(0, &+), limit: queues.map(\.limit).reduce(0, &+))
        requests = RequestTrace.Endpoint.allCases.flatMap { endpoint in
            ([0] + Status.codes).map { code in
                Requests(
                    endpoint: endpoint.rawValue,
                    status: code == 0 ? "other" : "\(code)",
                    count: scoreboard.total(PoolCounter.requests(endpoint, code))
                )
            }
        }
        endpoints = RequestTrace.Endpoint.allCases.map { endpoint in
            Endpoint(
                endpoint: endpoint.rawValue,
                duration: PoolCounter.whole(endpoint).read(scoreboard.total)
            )
        }
        hash = PoolCounter.hash.read(scoreboard.total)
        commit = PoolCounter.commit.read(scoreboard.total)
        bytesIn = total(.bytesIn)
        bytesOut = total(.bytesOut)
        payloadsStored = total(.stored)
        payloadsDeduplicated = total(.deduplicated)
        checksumMismatches = total(.mismatches)
        slowRequests = total(.slow)
        timeouts = total(.timeouts)
        self.store = Store(store, scoreboard)
    }
}

extension PoolStatus.Thread {
    fileprivate init(_ state: ThreadRow.State, _ now: UInt64) {
        func seconds(_ since: UInt64) -> Double { now > since ? Double(now - since) / 1e9 : 0 }
        let subject = RequestSubject(text: state.text)
        func present(_ text: String?) -> String? { text.flatMap { $0.isEmpty ? nil : $0 } }
        self.state = Activity(code: state.code)
        stateSeconds = seconds(state.since)
        requestSeconds = state.requestSince == 0 ? nil : seconds(state.requestSince)
        requests = state.requests
        method = present(subject?.method)
        path = present(subject?.path)
        namespace = present(subject?.namespace)
        digest = present(subject?.digest)
        requestID = present(subject?.id)
    }
}

extension PoolStatus.Store {
    fileprivate init(_ store: any PayloadStorage, _ scoreboard: Scoreboard) {
        // A store that can't be asked is the health check's to report.
        let space = try? store.uploads.space()
        let measure = Measure(of: store.name, scoreboard)
        path = store.name
        filesystemBytes = space?.total
        freeBytes = space?.free
        reserveBytes = store.uploads.reserve
        objects = measure?.objects
        bytes = measure?.bytes
        measured = measure?.time
    }
}
