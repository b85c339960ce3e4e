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
            Each option can also be set by an environment variable, LPS_ and the option's name, such as LPS_STORE or \
            LPS_MAX_PAYLOAD, or by a line LPS_MAX_PAYLOAD=1g of the --config file. Options override the file, and the file \
            overrides the environment.

            Without --listen, the worker serves the sockets it was started with: systemd's (LISTEN_FDS), or file \
            descriptor 0 (spawn-fcgi). Several processes can share such a socket.

            Signals: SIGTERM, SIGINT and SIGQUIT finish the requests in progress and exit with status 0; a second one exits \
            at once. SIGHUP reloads the configuration, and logs the settings whose change needs a restart. SIGUSR1 reopens \
            the log files. SIGUSR2 works like SIGTERM, for a supervisor (systemd, multiwatch) that starts the next process; \
            if that one could not start, the worker continues. While the supervisor holds the socket, this loses no request.

            Sizes are bytes, or numbers with the suffix k, m or g (powers of 1024). Times are seconds, or numbers with the \
            suffix ms, s, m or h.

            Exit status: 0 after a clean stop; 78 if the options, the store or the socket prevent a start; 64 if the command \
            line is wrong; 1 if the system failed.
            """,
        version: "lps-worker \(version)"
    )

    @Flag(help: "Check the configuration, print whether a worker would start, and exit with the status it would have.")
    var check = false

    @OptionGroup var settings: Settings

    func run() throws {
        // Block signals before any thread starts: threads inherit the mask, and one thread waits for the signals.
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

    /// Reads the configuration file and the environment again, with the same command line.
    private static func reread() throws -> Configuration {
        try Configuration(parse().settings, environment: .process)
    }

    /// EX_CONFIG, sysexits(3), for errors that starting again does not fix.
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
