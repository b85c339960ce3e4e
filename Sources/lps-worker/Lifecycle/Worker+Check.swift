import Glibc
import Logging

extension Worker {
    /// Whether standard error is the journal, which reads priorities (sd-daemon(3)).
    static var hasPriority: Bool { isJournal(STDERR_FILENO) }

    /// The start of a line that is written to standard error without a logger; empty outside the journal.
    static func priority(_ level: Logger.Level) -> String {
        hasPriority ? LogfmtHandler.priority(level) : ""
    }

    /// Checks whether a worker would start, except for its socket.
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
