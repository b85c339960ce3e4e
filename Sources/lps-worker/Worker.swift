import FastCGI
import Glibc
import Logging
import PayloadService
import DiskStore
import Storage
import Scoreboard
import StorePolicy
import Synchronization
import Version

/// A worker process, from its start to the end of its last request.
struct Worker {
    private let configuration: Configuration
    private let reread: @Sendable () throws(ConfigurationError) -> Configuration
    private let level: LogLevel
    private let logger: Logger

    /// - Parameter reread: reads the configuration again.
    init(
        _ configuration: Configuration,
        reread: @escaping @Sendable () throws(ConfigurationError) -> Configuration
    ) {
        self.configuration = configuration
        self.reread = reread
        let level = LogLevel(configuration.settings.logLevel)
        self.level = level
        let hasPriority = configuration.errorLog == LogFile.standardError && Self.hasPriority
        logger = Logger(label: "lps-worker") { _ in LogfmtHandler(level, hasPriority: hasPriority) }
    }

    /// Only the journal reads priorities, and it says so to whomever it reads (sd-daemon(3)).
    private static var hasPriority: Bool { isJournal(STDERR_FILENO) }

    /// What a line on standard error begins with that does not come from a logger.
    static func priority(_ level: Logger.Level) -> String {
        hasPriority ? LogfmtHandler.priority(level) : ""
    }

    /// Makes sure that a worker would start, as far as that can be known without its socket.
    ///
    /// - Throws: an error whose description is one line.
    static func check(_ configuration: Configuration) throws {
        try check(configuration, Logger(label: "lps-worker") { _ in LogfmtHandler(hasPriority: hasPriority) })
    }

    private static func check(_ configuration: Configuration, _ logger: Logger) throws {
        Self.warn(of: configuration.unknown, logger)
        let store = try configuration.store.open(
            reserve: configuration.reserve,
            otherFiles: configuration.mostOpenFiles,
            quota: { _ in nil },
            logger
        )
        try store.checkStart(waiting: false)
        try LogFile.check(configuration.errorLog)
        try configuration.accessLog.map(LogFile.check)
        if let folder = configuration.runtimeFolder { try StatusServer.check(folder) }
    }

    /// - Throws: an error whose description is one line, when the worker can't start.
    func run(_ signals: Signals) throws {
        try Successor.rememberGivenDescriptors()
        let predecessor = Successor.handedOverEpoch()
        // First, since its standard error may be what the error log takes the place of.
        let accessLog = try configuration.accessLog.map { path throws(ConfigurationError) in try LogFile(path: path) }
        let errorLog = try LogFile(path: configuration.errorLog, as: STDERR_FILENO)
        Self.warn(of: configuration.unknown, logger)
        raiseDescriptorLimit()
        let policy = CurrentPolicy(configuration.settings.policy)
        let store = try configuration.store.open(
            reserve: configuration.reserve,
            otherFiles: configuration.mostOpenFiles,
            quota: { policy.value[$0].quota },
            logger
        )
        try store.checkStart(waiting: true)
        keepCounts(of: store, policy.value, after: predecessor)
        let listeners = try self.listeners()
        if let folder = configuration.runtimeFolder { try StatusServer.check(folder) }
        let (scoreboard, isShared) = try self.scoreboard()
        let gateway = makeGateway(store, scoreboard, accessLog)
        let retirement = Retirement()
        retirement.set(configuration.settings.maximumRequests)
        let end = End()
        let pool = try makePool(listeners, gateway, retirement, end)
        let watch = try signals.watch { event in
            switch event {
            case .stop(let signal):
                logger.notice("stopping: finishing the requests under way", metadata: ["signal": "\(signal)"])
                notifySystemd("STOPPING=1")
                if end.set(.stopped) { pool.stop() }
            case .startAnew:
                if canStartAnew(), end.set(.retired) {
                    logger.notice("starting anew: finishing the requests under way")
                    pool.stop(keepsSockets: true)
                }
            case .reload:
                reload(gateway, retirement, policy)
                keepCounts(of: store, policy.value)
            case .reopenLogs:
                reopen([errorLog] + (accessLog.map { [$0] } ?? []))
            }
        }
        try store.tidyUp()
        try Watchdog(Environment.process, scoreboard)?.start()
        let statusServer = isShared ? try startStatusServer(store, listeners, scoreboard) : nil
        try pool.run {
            logger.notice(
                "serving",
                metadata: [
                    "version": "\(version)", "store": "\(store.name)", "threads": "\(configuration.threads)",
                    "listen": "\(listeners.map(\.name).joined(separator: " "))", "reserve": "\(store.uploads.reserve)",
                    "max_payload": "\(configuration.settings.maximumPayload)",
                ]
            )
            notifySystemd("READY=1")
        }
        statusServer?.stop()
        scoreboard.finish()
        if end.isRetired {
            watch.end()
            // A stop that came meanwhile is the successor's, which has the sockets.
            if end.isStopRequested { kill(getpid(), SIGTERM) }
            scoreboard.add(to: .retirements)
            logger.notice("started anew: every request under way was answered")
            throw Successor.replaceProcess(listeners, store)
        }
        logger.notice("stopped: every request under way was answered")
    }

    /// Where that fails, uploads that need a count try again, and tell their clients.
    private func keepCounts(
        of store: any PayloadStorage,
        _ policy: StorePolicy,
        after predecessor: consuming HandedOverEpoch? = nil
    ) {
        guard let store = store as? DiskStore else { return }
        do {
            try store.keepCounts(hasQuotas: policy.allRules.contains { $0.quota != nil }, after: predecessor)
        } catch {
            logger.warning("what namespaces use may be counted anew", metadata: ["error": "\(error)"])
        }
    }

    // MARK: Parts

    /// - Returns: the pool's scoreboard, or one of this process alone where that can't be used: counters are no reason not
    ///   to serve.
    private func scoreboard() throws -> (Scoreboard, isShared: Bool) {
        do {
            return (try Scoreboard(in: configuration.runtimeFolder, threads: configuration.threads), true)
        } catch {
            guard configuration.runtimeFolder != nil else { throw error }
            logger.error(
                "no part in the pool's status page: this process counts for itself",
                metadata: ["error": "\(error)"]
            )
            return (try Scoreboard(in: nil, threads: configuration.threads), false)
        }
    }

    private func makeGateway(_ store: any PayloadStorage, _ scoreboard: Scoreboard, _ accessLog: LogFile?) -> Gateway {
        Gateway(
            configuration.settings,
            scoreboard: scoreboard,
            threads: configuration.threads,
            accessLog: accessLog,
            logger: logger
        ) { [logger] settings in
            PayloadService(
                store: store,
                maximumPayload: settings.maximumPayload,
                codec: settings.codec,
                logger: logger
            )
        }
    }

    private func makePool(
        _ listeners: [Listener],
        _ gateway: Gateway,
        _ retirement: Retirement,
        _ end: End
    ) throws -> WorkerPool {
        // The pool is made with the hook that stops it.
        let due = Due()
        let hooks = WorkerPool.Hooks(
            accepted: { gateway.accepted($0) },
            closed: { thread in
                gateway.closed(thread)
                guard retirement.isDue() else { return }
                if !canStartAnew() {
                    retirement.putOff()
                } else if end.set(.retired) {
                    due.stop()
                }
            }
        )
        let pool = try WorkerPool(
            listeners: listeners,
            threads: configuration.threads,
            logger: logger,
            hooks: hooks
        ) { request, thread in
            gateway.serve(request, thread)
        }
        due.set(pool)
        return pool
    }

    private func startStatusServer(
        _ store: any PayloadStorage,
        _ listeners: [Listener],
        _ scoreboard: Scoreboard
    ) throws -> StatusServer? {
        guard let folder = configuration.runtimeFolder else { return nil }
        let server = StatusServer(
            scoreboard,
            store: store,
            listeners: listeners,
            folder: folder,
            access: configuration.access,
            measureInterval: configuration.measureInterval,
            logger: logger
        )
        try server.start()
        return server
    }

    private func listeners() throws(ConfigurationError) -> [Listener] {
        let inherited: [Listener]
        do {
            let handedOver = try Successor.inherited(configuration.listen, configuration.access)
            if let handedOver { return [handedOver] }
            if let address = configuration.listen {
                return [try Listener(binding: address, access: configuration.access)]
            }
            inherited = try Listener.inherited()
        } catch {
            throw ConfigurationError(error)
        }
        guard !inherited.isEmpty else {
            throw ConfigurationError(
                "nothing to listen on: give --listen (LPS_LISTEN), or start with a systemd or spawn-fcgi socket"
            )
        }
        return inherited
    }

    /// Folders that stay open, connections and files take descriptors; the usual soft limit of 1024 is there for
    /// select(2), which nothing here uses.
    private func raiseDescriptorLimit() {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        // A quarter is for folders that stay open.
        let needed = rlim_t(configuration.mostOpenFiles) / 3 * 4
        let wanted = max(16384, needed)
        guard getrlimit(resource, &limit) == 0 else { return }
        if limit.rlim_cur < wanted {
            limit.rlim_cur = min(limit.rlim_max, wanted)
            if setrlimit(resource, &limit) != 0 {
                logger.warning("can't raise the limit of open files", metadata: ["errno": "\(errno)"])
            }
        }
        guard getrlimit(resource, &limit) == 0, limit.rlim_cur < needed else { return }
        logger.warning(
            "the limit of open files is low for so many threads",
            metadata: ["limit": "\(limit.rlim_cur)", "needed": "\(needed)", "threads": "\(configuration.threads)"]
        )
    }

    private static func warn(of unknown: [String], _ logger: Logger) {
        for name in unknown {
            logger.warning("the configuration file has an unknown setting", metadata: ["setting": "\(name)"])
        }
    }

    /// Whether a successor would start. If not, the process goes on as it is.
    private func canStartAnew() -> Bool {
        do {
            try Self.check(try reread(), logger)
            return true
        } catch {
            logger.error("not starting anew: the next process would not start", metadata: ["error": "\(error)"])
            return false
        }
    }

    // MARK: Signals

    private func reload(_ gateway: Gateway, _ retirement: Retirement, _ policy: CurrentPolicy) {
        notifySystemd("RELOADING=1")
        defer { notifySystemd("READY=1") }
        do {
            let new = try reread()
            Self.warn(of: new.unknown, logger)
            for name in configuration.fixed(unlike: new) {
                logger.warning("a changed setting needs a restart", metadata: ["setting": "\(name)"])
            }
            level.current = new.settings.logLevel
            retirement.set(new.settings.maximumRequests)
            policy.value = new.settings.policy
            gateway.use(new.settings)
            logger.notice("the configuration was read again")
        } catch {
            logger.error("the configuration stays as it was", metadata: ["error": "\(error)"])
        }
    }

    private func reopen(_ logs: [LogFile]) {
        for log in logs {
            do throws(ConfigurationError) {
                try log.reopen()
            } catch {
                logger.error("a log goes on in its old file", metadata: ["error": "\(error)"])
            }
        }
        logger.notice("logs are open anew")
    }
}

/// The policy that the next upload goes by.
private final class CurrentPolicy: Sendable {
    private let policy: Mutex<StorePolicy>

    init(_ policy: StorePolicy) { self.policy = Mutex(policy) }

    var value: StorePolicy {
        get { policy.withLock { $0 } }
        set { policy.withLock { $0 = newValue } }
    }
}

/// Why a process ends: what came first.
private final class End: Sendable {
    enum Reason {
        case stopped, retired
    }

    private let state: Mutex<(reason: Reason?, isStopRequested: Bool)> = Mutex((nil, false))

    var isRetired: Bool { state.withLock { $0.reason == .retired } }
    var isStopRequested: Bool { state.withLock { $0.isStopRequested } }

    /// Whether this is the first reason.
    func set(_ new: Reason) -> Bool {
        state.withLock { state in
            if new == .stopped { state.isStopRequested = true }
            defer { state.reason = state.reason ?? new }
            return state.reason == nil
        }
    }
}

/// The pool that is to stop when its time has come.
private final class Due: Sendable {
    private let pool: Mutex<WorkerPool?> = Mutex(nil)

    func set(_ pool: WorkerPool) { self.pool.withLock { $0 = pool } }
    func stop() { pool.withLock { $0 }?.stop(keepsSockets: true) }
}
