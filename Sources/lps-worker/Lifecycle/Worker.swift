import EnvironmentFile
import FastCGI
import Glibc
import Logging
import Scoreboard
import Storage
import StorePolicy
import Synchronization
import Version

/// A worker process, from its start to its last answer.
final class Worker: Sendable {
    let configuration: Configuration
    let reread: @Sendable () throws -> Configuration
    let level: Current<Logger.Level>
    let logger: Logger
    let errorLog: LogFile
    let accessLog: LogFile?
    let policy: Current<StorePolicy>
    let store: any PayloadStorage
    let listeners: [Listener]
    let scoreboard: Scoreboard
    let recorder: RequestRecorder
    let gateway: Gateway
    let pool: WorkerPool
    let retirement = Retirement()
    /// Whether the pool is stopping, or checks if it can restart.
    let isEnding = Atomic(false)

    /// Opens the logs, the store, the sockets and the scoreboard.
    ///
    /// - Parameter reread: reads the configuration again.
    /// - Throws: an error whose description is one line, if the worker can't start.
    init(_ configuration: Configuration, reread: @escaping @Sendable () throws -> Configuration) throws {
        let settings = configuration.settings
        self.configuration = configuration
        self.reread = reread
        // The access log comes first: it may be the standard error that the error log replaces.
        accessLog = try settings.accessLog.value.map { try LogFile(path: $0) }
        let hasPriority = settings.errorLog.value == LogFile.standardError && Self.hasPriority
        errorLog = try LogFile(path: settings.errorLog.value, as: STDERR_FILENO)
        let level = Current(settings.logLevel.value)
        self.level = level
        let logger = Logger(label: "lps-worker") { _ in LogfmtHandler(level, hasPriority: hasPriority) }
        self.logger = logger
        Self.warn(of: configuration.unknown, logger)
        DescriptorLimit.raise(toServe: settings, logger)
        let policy = Current(settings.policy.value)
        self.policy = policy
        let store = try configuration.store.open(quota: { policy.value[$0].quota }, logger)
        self.store = store
        try store.checkStart(waiting: true)
        Self.keepCounts(of: store, policy.value, logger)
        listeners = try configuration.listeners()
        if let folder = settings.runtimeDir.value { try StatusServer.check(folder) }
        scoreboard = try Self.scoreboard(settings, logger)
        recorder = RequestRecorder(scoreboard, threads: settings.threads.value, accessLog, logger)
        gateway = Gateway(settings, store: store, recorder: recorder, logger: logger)
        pool = try WorkerPool(listeners: listeners, threads: settings.threads.value, logger: logger)
        retirement.set(settings.maxRequests.value)
    }

    /// Serves until a signal or the number of requests stops it; returns when all requests are answered.
    func run(_ signals: Signals) throws {
        try signals.watch(handle)
        try store.tidyUp()
        try Watchdog(.process, scoreboard)?.start()
        let statusServer = try startStatusServer()
        let handler = WorkerPool.Handler(accepted: recorder.accepted, closed: closed, answer: gateway.serve)
        try pool.run(handler) {
            logger.notice(
                "serving",
                metadata: [
                    "version": "\(version)", "store": "\(store.name)",
                    "threads": "\(configuration.settings.threads.value)",
                    "listen": "\(listeners.map(\.name).joined(separator: " "))", "reserve": "\(store.uploads.reserve)",
                    "max_payload": "\(configuration.settings.maxPayload.value)",
                ]
            )
            notifySystemd("READY=1")
        }
        statusServer?.stop()
        scoreboard.finish()
        logger.notice("stopped: all requests answered")
    }

    private func closed(_ thread: Int) {
        recorder.closed(thread)
        if retirement.isDue() { restart(["requests": "\(retirement.served)"]) }
    }

    /// - Returns: `nil` if there is no runtime folder, or its scoreboard can't be used.
    private func startStatusServer() throws -> StatusServer? {
        guard scoreboard.isShared, let folder = configuration.settings.runtimeDir.value else { return nil }
        let server = StatusServer(
            folder: folder,
            configuration: configuration,
            scoreboard: scoreboard,
            store: store,
            listeners: listeners,
            logger: logger
        )
        try server.start()
        return server
    }

    /// Opens the pool's scoreboard. If that fails, makes one for this process: a worker must serve without counters, too.
    private static func scoreboard(_ settings: Settings, _ logger: Logger) throws -> Scoreboard {
        let threads = settings.threads.value
        if let folder = settings.runtimeDir.value {
            do {
                return try Scoreboard(in: folder, threads: threads)
            } catch {
                let problem: Logger.Message = "cannot join the pool's status page, counting for this process only"
                logger.error(problem, metadata: ["error": "\(error)"])
            }
        }
        return try Scoreboard(in: nil, threads: threads)
    }
}
