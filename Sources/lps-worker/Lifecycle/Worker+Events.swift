import Logging
import Storage
import StorePolicy

/// Handles the events that change a serving worker: signals, and reaching the number of requests.
extension Worker {
    func handle(_ event: Signals.Event) {
        switch event {
        case .stop(let signal):
            isEnding.store(true, ordering: .relaxed)
            stop("stopping: finishing requests in progress", ["signal": "\(signal)"])
        case .restart: restart(["signal": "SIGUSR2"])
        case .reload: reload()
        case .reopenLogs: reopenLogs()
        }
    }

    /// Stops, so that the supervisor starts a new process. Continues if that process would not start.
    func restart(_ reason: Logger.Metadata) {
        guard !isEnding.exchange(true, ordering: .relaxed) else { return }
        do {
            try Self.check(try reread(), logger)
        } catch {
            logger.error("not restarting, the next process would not start", metadata: ["error": "\(error)"])
            retirement.putOff()
            isEnding.store(false, ordering: .relaxed)
            return
        }
        scoreboard.add(to: .retirements)
        stop("restarting: finishing requests in progress", reason)
    }

    private func stop(_ message: Logger.Message, _ reason: Logger.Metadata) {
        logger.notice(message, metadata: reason)
        notifySystemd("STOPPING=1")
        pool.stop()
    }

    private func reload() {
        notifySystemd("RELOADING=1")
        defer { notifySystemd("READY=1") }
        do {
            let new = try reread()
            Self.warn(of: new.unknown, logger)
            for name in configuration.fixed(unlike: new) {
                logger.warning("changed setting needs a restart", metadata: ["setting": "\(name)"])
            }
            level.value = new.settings.logLevel.value
            retirement.set(new.settings.maxRequests.value)
            policy.value = new.settings.policy.value
            gateway.use(new.settings)
            logger.notice("configuration reloaded")
        } catch {
            logger.error("reload failed, configuration unchanged", metadata: ["error": "\(error)"])
        }
        Self.keepCounts(of: store, policy.value, logger)
    }

    private func reopenLogs() {
        for log in [errorLog, accessLog].compactMap({ $0 }) {
            do {
                try log.reopen()
            } catch {
                logger.error("cannot reopen a log, still writing to the old file", metadata: ["error": "\(error)"])
            }
        }
        logger.notice("logs reopened")
    }

    /// Prepares the counts that quotas need. If that fails, uploads that need a count try again, and their clients get errors.
    static func keepCounts(of store: any PayloadStorage, _ policy: StorePolicy, _ logger: Logger) {
        guard let store = store as? any UsageCounting else { return }
        do {
            try store.keepCounts(hasQuotas: policy.hasQuotas)
        } catch {
            logger.warning("namespace usage counts unavailable", metadata: ["error": "\(error)"])
        }
    }
}
