import Glibc
import Logging

extension Worker {
    /// Only the journal reads priorities, and it says so to whomever it reads (sd-daemon(3)).
    static var hasPriority: Bool { isJournal(STDERR_FILENO) }

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

    static func check(_ configuration: Configuration, _ logger: Logger) throws {
        let settings = configuration.settings
        warn(of: configuration.unknown, logger)
        try configuration.store.open(quota: { _ in nil }, logger).checkStart(waiting: false)
        try LogFile.check(settings.errorLog.value)
        try settings.accessLog.value.map(LogFile.check)
        try settings.runtimeDir.value.map(StatusServer.check)
    }

    static func warn(of unknown: [String], _ logger: Logger) {
        for name in unknown {
            logger.warning("unknown setting in the configuration file", metadata: ["setting": "\(name)"])
        }
    }
}
