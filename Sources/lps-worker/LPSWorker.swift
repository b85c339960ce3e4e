import ArgumentParser
import FastCGI
import Glibc
import Logging
import PayloadService
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
            SIGUSR1: opens the log files anew. SIGUSR2: finishes the requests under way and starts the program anew, as \
            it is then, on the same sockets: an upgrade that loses no request.

            Sizes are bytes, or have one of the suffixes k, m, g (powers of 1024). Times are seconds, or have one of the \
            suffixes ms, s, m, h.

            Exit status: 0 after a clean stop, 78 when options, store or socket do not allow a start, 64 for a wrong command line, 1 when the \
            system failed.
            """,
        version: "lps-worker \(version)"
    )

    @Flag(help: "Check the configuration, say whether a worker would start, and exit with status 0 or 78.")
    var check = false

    @Option(
        help: ArgumentHelp(
            "A file of settings, LPS_NAME=value, read again on SIGHUP; with - before it, it may be missing.",
            valueName: "path"
        ),
        completion: .file()
    )
    var config: String?

    @Option(
        help: ArgumentHelp(
            "The store's folder, made with 'lps init', or a bucket: s3://BUCKET[/PREFIX]?endpoint=...&region=...&path-style=... (required)",
            valueName: "place"
        ),
        completion: .directory
    )
    var store: String?

    @Option(
        help: ArgumentHelp(
            "With a store in a bucket: the folder where uploads are taken in, the web server's client_body_temp_path.",
            valueName: "path"
        ),
        completion: .directory
    )
    var incoming: String?

    @Option(
        help: ArgumentHelp(
            "With a store in a bucket: the folder of the web server's cache. What has no room there goes past it.",
            valueName: "path"
        ),
        completion: .directory
    )
    var cache: String?

    @Option(
        help: ArgumentHelp("A unix socket's path, or host:port.", valueName: "address"),
        completion: .file()
    )
    var listen: String?

    @Option(help: ArgumentHelp("The unix socket's mode, in octal. (default: 0660)", valueName: "mode"))
    var listenMode: String?

    @Option(help: ArgumentHelp("The unix socket's owner, name or number. (default: the worker's)", valueName: "user"))
    var listenOwner: String?

    @Option(help: ArgumentHelp("The unix socket's group, name or number. (default: the worker's)", valueName: "group"))
    var listenGroup: String?

    @Option(help: ArgumentHelp("How many requests to serve at once, 1 to 1024. (default: 16)", valueName: "n"))
    var threads: String?

    @Option(help: ArgumentHelp("The largest payload to take. (default: 1g)", valueName: "size"))
    var maxPayload: String?

    @Option(
        help: ArgumentHelp(
            "Free space of the file system below which no payload is stored. (default: 1g or 5 % of the file system, whichever is smaller)",
            valueName: "size"
        )
    )
    var reserve: String?

    @Option(
        help: ArgumentHelp(
            "The file with each namespace's quota (and retention, which 'lps gc' applies); read again on SIGHUP. (default: no quotas)",
            valueName: "path"
        ),
        completion: .file()
    )
    var policy: String?

    @Option(
        help: ArgumentHelp(
            "The codec server stores a payload whose serialized size is over this. (default: 128000)",
            valueName: "size"
        )
    )
    var codecMinSize: String?

    @Option(
        help: ArgumentHelp(
            "The codec server lets the Web UI offer a download of a payload over this, instead of showing it. (default: 1m)",
            valueName: "size"
        )
    )
    var codecDisplayLimit: String?

    @Option(
        help: ArgumentHelp(
            "The codec server answers a placeholder for a payload that would take a decode's answer over this. (default: 64m)",
            valueName: "size"
        )
    )
    var codecAnswerLimit: String?

    @Option(
        help: ArgumentHelp(
            "The least level to log: debug, info, notice, warning, error. (default: info)",
            valueName: "level"
        )
    )
    var logLevel: String?

    @Option(
        help: ArgumentHelp(
            "A folder that the processes of the pool share: for counters, and the status page's socket, status.sock.",
            valueName: "path"
        ),
        completion: .directory
    )
    var runtimeDir: String?

    @Option(
        help: ArgumentHelp(
            "How often to measure the store for the status page, 0 for never. (default: 1h)",
            valueName: "time"
        )
    )
    var measureInterval: String?

    @Option(
        help: ArgumentHelp("Log a request that takes longer, with its phases. (default: 0, none)", valueName: "time")
    )
    var slowLogAfter: String?

    @Option(
        help: ArgumentHelp(
            "Give up a request that takes longer, unless it is being committed: 503. (default: 0, no limit)",
            valueName: "time"
        )
    )
    var requestTimeout: String?

    @Option(
        help: ArgumentHelp(
            "Start the process anew after so many requests, and up to a tenth more, losing none. (default: 0, never)",
            valueName: "n"
        )
    )
    var maxRequests: String?

    @Option(
        help: ArgumentHelp("Where to log, a path or stderr. (default: stderr)", valueName: "path"),
        completion: .file()
    )
    var errorLog: String?

    @Option(
        help: ArgumentHelp(
            "Where to log a line for each request, a path or stderr. (default: nowhere)",
            valueName: "path"
        ),
        completion: .file()
    )
    var accessLog: String?

    @Option(
        help: ArgumentHelp(
            """
            That line: text with \(AccessFormat.Variable.allCases.map { "$" + $0.rawValue }.joined(separator: ", ")).
            """,
            valueName: "format"
        )
    )
    var accessFormat: String?

    func run() throws {
        // Before anything can start a thread: each inherits the mask, and one waits for the signals.
        let signals = check ? nil : Signals()
        do {
            let configuration = try configuration()
            guard let signals else {
                try Worker.check(configuration)
                return writeLine("lps-worker: the configuration is good")
            }
            try Worker(configuration, reread: { () throws(ConfigurationError) in try self.configuration() })
                .run(signals)
        } catch {
            writeLine(Worker.priority(.error) + "lps-worker: \(error)")
            throw Self.exitCode(for: error)
        }
    }

    private func configuration() throws(ConfigurationError) -> Configuration {
        try Configuration(self, environment: Environment.process)
    }

    /// EX_CONFIG of sysexits(3) tells a supervisor that another start will not help.
    private static func exitCode(for error: any Error) -> ExitCode {
        switch error {
        case let error as ConfigurationError where !error.mayPass: ExitCode(EX_CONFIG)
        case let error as StoreError where error.preventsUse: ExitCode(EX_CONFIG)
        default: .failure
        }
    }
}

/// Writes a line, in one write(2) unless the kernel takes only a part of it.
func writeLine(_ line: String, to descriptor: Int32 = STDERR_FILENO) {
    Array("\(line)\n".utf8).withUnsafeBytes { bytes in
        var rest = bytes
        while !rest.isEmpty {
            let count = uninterrupted { write(descriptor, rest.baseAddress, rest.count) }
            // Nobody is left to be told that a log can't be written.
            guard count > 0 else { return }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }
}
