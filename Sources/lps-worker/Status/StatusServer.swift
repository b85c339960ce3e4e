import FastCGI
import FoundationEssentials
import Glibc
import Logging
import PayloadStore
import Scoreboard
import Synchronization

/// Serves the pool's status page on a socket and threads of its own, so that it answers also when every thread of the
/// pool is busy; and measures the store.
///
/// One process of the pool does it, its leader; when that ends, however it ends, the next one takes over.
final class StatusServer: Sendable {
    private let scoreboard: Scoreboard
    private let store: PayloadStore
    /// The pool's sockets, whose queues the page tells.
    private let listeners: [Listener]
    private let socket: String
    private let access: Listener.Access
    private let measureInterval: Duration?
    private let logger: Logger
    private let serving: Mutex<Serving?> = Mutex(nil)

    private struct Serving {
        let pool: WorkerPool
        let thread: WorkerThread
    }

    init(
        _ scoreboard: Scoreboard,
        store: PayloadStore,
        listeners: [Listener],
        folder: String,
        access: Listener.Access,
        measureInterval: Duration?,
        logger: Logger
    ) {
        self.scoreboard = scoreboard
        self.store = store
        self.listeners = listeners
        socket = "\(folder)/status.sock"
        self.access = access
        self.measureInterval = measureInterval
        self.logger = logger
    }

    /// Starts a thread that waits for its turn.
    func start() throws {
        _ = try WorkerThread { self.lead() }
    }

    /// Ends the page's requests and takes away its socket.
    func stop() {
        guard let serving = serving.withLock({ $0 }) else { return }
        serving.pool.stop()
        serving.thread.join()
    }

    private func lead() {
        do {
            try scoreboard.lead()
            let listener = try Listener(binding: .unix(path: socket), access: access)
            let pool = try WorkerPool(listeners: [listener], threads: 2, logger: logger) { request, _ in
                self.answer(request)
            }
            let thread = try WorkerThread {
                do {
                    try pool.run {}
                } catch {
                    self.logger.error("no status page", metadata: ["error": "\(error)"])
                }
            }
            serving.withLock { $0 = Serving(pool: pool, thread: thread) }
            logger.info("serving the pool's status page", metadata: ["listen": "\(socket)"])
        } catch {
            logger.error("no status page", metadata: ["error": "\(error)"])
        }
        measure()
    }

    private func answer(_ request: Request) {
        let now = UInt64(time(nil))
        let status = PoolStatus(scoreboard, listeners: listeners, store: store, now: now)
        let query = (request.parameter("QUERY_STRING") ?? []).split(separator: UInt8(ascii: "&"))
            .map { String(decoding: $0.prefix { $0 != UInt8(ascii: "=") }, as: UTF8.self) }
        do {
            let (type, content) = try page(status, query)
            let head = "Status: 200 OK\r\nContent-Type: \(type)\r\nCache-Control: no-store\r\n\r\n"
            try (Array(head.utf8) + content).withUnsafeBytes { try request.write($0) }
        } catch {
            request.abort()
            logger.notice("the status page was cut off", metadata: ["error": "\(error)"])
        }
    }

    private func page(_ status: PoolStatus, _ query: [String]) throws -> (type: String, content: [UInt8]) {
        if query.contains("openmetrics") { return (PoolStatus.openMetricsType, Array(status.openMetrics.utf8)) }
        let full = query.contains("full")
        guard query.contains("json") else { return ("text/plain; charset=utf-8", Array(status.text(full: full).utf8)) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return ("application/json", Array(try encoder.encode(full ? status : status.withoutThreads)) + [0x0A])
    }

    /// Measures the store whenever the last time, by whichever process, is long enough ago. Never returns.
    private func measure() {
        var attempt: UInt64 = 0
        while let measureInterval {
            let last = max(attempt, scoreboard[value: PoolValue.storeMeasured.rawValue])
            let interval = UInt64(max(1, measureInterval.components.seconds))
            let now = UInt64(time(nil))
            if now < last || now - last >= interval {
                attempt = now
                do {
                    let usage = try store.measureUsage()
                    scoreboard[value: PoolValue.storeObjects.rawValue] = usage.objects
                    scoreboard[value: PoolValue.storeBytes.rawValue] = usage.bytes
                    scoreboard[value: PoolValue.storeMeasured.rawValue] = UInt64(time(nil))
                } catch {
                    logger.warning("the store can't be measured", metadata: ["error": "\(error)"])
                }
            }
            sleep(UInt32(min(interval, 60)))
        }
    }
}
