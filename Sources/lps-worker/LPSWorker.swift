import ArgumentParser
import Encoding
import EnvironmentFile
import FastCGI
import Glibc
import Storage
import System
import Version

/// The command line of a worker process.
@main
struct LPSWorker: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lps-worker",
        abstract: "A worker of the Large Payload Service: a FastCGI process that stores and serves Temporal payloads.",
        discussion: """
            Every option may be given as an environment variable instead, LPS_ and its name: LPS_STORE, LPS_LISTEN, \
            LPS_MAX_PAYLOAD; or, so named, in the file of --config. An option wins over the file, and that over the \
            environment.

            Without --listen the worker serves the sockets that it was started with: systemd's (LISTEN_FDS), or else file \
            descriptor 0 (spawn-fcgi). Several processes may share such a socket.

            SIGTERM, SIGINT, SIGQUIT: finishes the requests under way and exits with status 0; a second one ends it at once. \
            SIGHUP: reads the configuration file again; what can't change without a restart is named in the log. \
            SIGUSR1: reopens the log files. SIGUSR2: as SIGTERM, for a supervisor (systemd, multiwatch) that starts the \
            next process; where that would not start, the worker goes on. On a socket that the supervisor holds, this \
            loses no request.

            Sizes are bytes, or have one of the suffixes k, m, g (powers of 1024). Times are seconds, or have one of the \
            suffixes ms, s, m, h.

            Exit status: 0 after a clean stop, 78 when options, store or socket do not allow a start, 64 for a wrong command line, 1 when the \
            system failed.
            """,
        version: "lps-worker \(version)"
    )

    @Flag(help: "Check the configuration, say whether a worker would start, and exit with status 0 or 78.")
    var check = false

    @OptionGroup var settings: Settings

    func run() throws {
        // Before anything can start a thread: each inherits the mask, and one waits for the signals.
        let signals = check ? nil : Signals()
        do {
            let configuration = try Configuration(settings, environment: .process)
            guard let signals else {
                try Worker.check(configuration)
                return writeLine("lps-worker: the configuration is good")
            }
            try Worker(configuration, reread: Self.reread).run(signals)
        } catch {
            writeLine(Worker.priority(.error) + "lps-worker: \(error)")
            throw Self.exitCode(for: error)
        }
    }

    /// The same command line, with what file and environment have now.
    private static func reread() throws -> Configuration {
        try Configuration(parse().settings, environment: .process)
    }

    /// EX_CONFIG of sysexits(3) tells a supervisor that another start will not help.
    static func exitCode(for error: any Error) -> ExitCode {
        let isLasting =
            switch error {
            case is ConfigurationError, is SettingsError, is FastCGIError: true
            case let error as SystemCallError: !error.errno.mayPass
            case let error as StoreError: error.preventsUse
            default: false
            }
        return isLasting ? ExitCode(EX_CONFIG) : .failure
    }
}
