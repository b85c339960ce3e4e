import FastCGI
import Glibc
import Logging
import Scoreboard
import Storage
import System

/// Serves the pool's status page and measures the store. The page has its own socket and threads, so it answers even
/// when every thread of the pool is busy.
///
/// One process of the pool, the leader, does this. When it ends or dies, another one takes over.
struct StatusServer: Sendable {
    let folder: String
    let configuration: Configuration
    let scoreboard: Scoreboard
    let store: any PayloadStorage
    /// The pool's sockets; the page shows the lengths of their queues.
    let listeners: [Listener]
    let logger: Logger
    private let serving = Current<WorkerPool?>(nil)

    /// Starts a thread that waits to become the leader.
    func start() throws {
        try WorkerThread(lead).detach()
    }

    /// Checks that the page's socket can be made in a runtime folder.
    ///
    /// - Throws: an error that names the folder.
    static func check(_ folder: String) throws {
        try systemCall("write to runtime folder \(folder)") { access(folder, W_OK | X_OK) }
        try Listener.check(path: socket(folder))
    }

    private static func socket(_ folder: String) -> String { "\(folder)/status.sock" }

    /// Removes the page's socket, so that the next process can bind it. Does not wait for requests in progress.
    func stop() {
        serving.value?.stop()
    }

    private func lead() {
        do {
            try scoreboard.lead()
        } catch {
            logger.error("cannot serve the status page", metadata: ["error": "\(error)"])
            return
        }
        var isLogged = false
        while serving.value == nil {
            do {
                try serve()
            } catch {
                if !isLogged {
                    logger.error("cannot serve the status page yet, retrying", metadata: ["error": "\(error)"])
                }
                isLogged = true
                sleep(1)
            }
        }
        measure()
    }

    /// Binds the page's socket and starts the threads that serve it.
    private func serve() throws {
        let path = Self.socket(folder)
        let listener = try Listener(binding: .unix(path: path), access: configuration.access)
        let pool = try WorkerPool(listeners: [listener], threads: 2, logger: logger)
        try WorkerThread {
            do {
                try pool.run(WorkerPool.Handler { request, _ in answer(request) })
            } catch {
                logger.error("cannot serve the status page", metadata: ["error": "\(error)"])
            }
        }.detach()
        serving.value = pool
        logger.info("serving the pool's status page", metadata: ["listen": "\(path)"])
    }

    private func answer(_ request: Request) {
        let now = UInt64(time(nil))
        let pool = PoolSnapshot(scoreboard, listeners: listeners, store: store, now: now)
        let query = (request.parameters["QUERY_STRING"] ?? []).split(separator: UInt8(ascii: "&"))
            .map { String(decoding: $0.prefix { $0 != UInt8(ascii: "=") }, as: UTF8.self) }
        do {
            let (type, content) = try page(pool, query)
            let head = "Status: 200 OK\r\nContent-Type: \(type)\r\nCache-Control: no-store\r\n\r\n"
            try (Array(head.utf8) + content).withUnsafeBytes { try request.write($0) }
        } catch {
            request.abort(isReading: !(error is FastCGIError))
            logger.notice("status page cut off", metadata: ["error": "\(error)"])
        }
    }

    private func page(_ pool: PoolSnapshot, _ query: [String]) throws -> (type: String, content: [UInt8]) {
        let full = query.contains("full")
        if query.contains("openmetrics") { return (PoolSnapshot.openMetricsType, Array(pool.openMetrics.utf8)) }
        if query.contains("json") { return ("application/json", try pool.json(full: full)) }
        return ("text/plain; charset=utf-8", Array(pool.text(full: full).utf8))
    }

    /// Measures the store whenever the last measure by any process is older than the interval. Returns only if measuring is
    /// off, or the store does not support it.
    private func measure() {
        var attempt: UInt64 = 0
        while let measureInterval = configuration.settings.measureInterval.value {
            let last = max(attempt, Measure(of: store.name, scoreboard)?.time ?? 0)
            let interval = UInt64(max(1, measureInterval.components.seconds))
            let now = UInt64(time(nil))
            if now < last || now - last >= interval {
                attempt = now
                do {
                    guard let store = store as? any UsageCounting else { return }
                    Measure.record(try store.measureUsage(), of: store.name, at: UInt64(time(nil)), scoreboard)
                } catch {
                    logger.warning("cannot measure the store", metadata: ["error": "\(error)"])
                }
            }
            sleep(UInt32(min(interval, 60)))
        }
    }
}
