import ArgumentParser
import FastCGI
import Glibc
import Logging
import PayloadService
import StorePolicy

/// All settings, as options. An option's name gives its variable's: `--max-payload` is `LPS_MAX_PAYLOAD`.
struct Settings: ParsableArguments {
    @Option(
        "Read settings from this file (LPS_NAME=value), and again on SIGHUP. With - before the path, the file may be missing.",
        Kind.file
    )
    var config: Setting<String?>

    @Option(
        "Keep payloads here: a folder made with 'lps init', or a bucket s3://BUCKET[/PREFIX]?endpoint=...&region=...&path-style=... (required)",
        Kind.storePlace
    )
    var store: Setting<String?>

    @Option(
        "With a bucket: the folder that the web server buffers uploads in (client_body_temp_path).",
        Kind.folder
    )
    var incoming: Setting<String?>

    @Option(
        "With a bucket: the folder of the web server's cache. Downloads bypass the cache while its disk is full.",
        Kind.folder
    )
    var cache: Setting<String?>

    @Option(
        "Listen on a unix socket's path, or on host:port. (default: the sockets that the worker was started with)",
        Kind.listenAddress
    )
    var listen: Setting<ListenAddress?>

    @Option("Mode of the unix socket, in octal. (default: 0660)", Kind.mode, else: 0o660)
    var listenMode: Setting<mode_t>

    @Option("Owner of the unix socket, name or number. (default: the worker's)", Kind.user)
    var listenOwner: Setting<uid_t?>

    @Option("Group of the unix socket, name or number. (default: the worker's)", Kind.group)
    var listenGroup: Setting<gid_t?>

    @Option("Number of requests to serve at the same time, 1 to 1024. (default: 16)", Kind.threads, else: 16)
    var threads: Setting<Int>

    @Option(
        "Largest payload to accept. (default: 1g)",
        Kind.size.reloadable,
        else: PayloadService.defaultMaximumPayload
    )
    var maxPayload: Setting<UInt64>

    @Option(
        "Refuse uploads that would leave less free space than this. (default: 1g or 5 % of the file system, whichever is smaller)",
        Kind.size
    )
    var reserve: Setting<UInt64?>

    @Option(
        "Read each namespace's quota from this policy file, lps-policy(5), and again on SIGHUP. (default: no quotas)",
        Kind.policy.reloadable,
        else: StorePolicy()
    )
    var policy: Setting<StorePolicy>

    @Option(
        "Codec server: store payloads whose serialized size exceeds this. (default: 128000)",
        Kind.size.reloadable,
        else: CodecLimits().minimumSize
    )
    var codecMinSize: Setting<UInt64>

    @Option(
        "Codec server: have the Web UI offer payloads larger than this as a download instead of showing them. (default: 1m)",
        Kind.size.reloadable,
        else: CodecLimits().displayLimit
    )
    var codecDisplayLimit: Setting<UInt64>

    @Option(
        "Codec server: leave the reference to a payload that would make the answer of a decode larger than this. (default: 64m)",
        Kind.size.reloadable,
        else: CodecLimits().answerLimit
    )
    var codecAnswerLimit: Setting<UInt64>

    @Option(
        "Codec server: pass payloads through this codec server, before they are encoded and after they are decoded. {namespace} in the URL is replaced. (default: no other codec server)",
        Kind.codecServer.reloadable,
        else: nil
    )
    var codecNext: Setting<CodecServerURL?>

    @Option(
        "Minimum level to log: debug, info, notice, warning or error. (default: info)",
        Kind.logLevel.reloadable,
        else: .info
    )
    var logLevel: Setting<Logger.Level>

    @Option(
        "Folder that the processes of a pool share, for counters and the status page's socket, status.sock. (default: no status page)",
        Kind.folder
    )
    var runtimeDir: Setting<String?>

    @Option(
        "How often to measure the store for the status page; 0 means never. (default: 1h)",
        Kind.time,
        else: .seconds(3600)
    )
    var measureInterval: Setting<Duration?>

    @Option(
        "Log requests that take longer than this, with the time of each phase; 0 means none. (default: 0)",
        Kind.time.reloadable,
        else: nil
    )
    var slowLogAfter: Setting<Duration?>

    @Option(
        "Answer 503 to requests that take longer than this, unless they are being committed; 0 means no limit. (default: 0)",
        Kind.time.reloadable,
        else: nil
    )
    var requestTimeout: Setting<Duration?>

    @Option(
        "Exit after N requests, plus up to 10 %, so that the supervisor starts a new process; 0 means never. (default: 0)",
        Kind.requests.reloadable,
        else: nil
    )
    var maxRequests: Setting<UInt64?>

    @Option("Log to this file, or to stderr. (default: stderr)", Kind.file, else: LogFile.standardError)
    var errorLog: Setting<String>

    @Option("Log a line per request to this file, or to stderr. (default: no access log)", Kind.file)
    var accessLog: Setting<String?>

    @Option(
        "Format of that line: text with \(AccessFormat.Variable.list).",
        Kind.accessFormat.reloadable,
        else: .standard
    )
    var accessFormat: Setting<AccessFormat>

    /// The most files that the threads have open at once: a request opens at most 16, including new folders.
    var mostOpenFiles: Int { threads.value * 16 + 64 }

    /// All settings, with the names of their variables.
    var all: [(name: String, setting: any AnySetting)] {
        Mirror(reflecting: self).children.compactMap { label, option in
            guard let label, let option = option as? any SettingOption else { return nil }
            // A property wrapper's own property is `_maxPayload`.
            let words = label.dropFirst().map { $0.isUppercase ? "_\($0)" : $0.uppercased() }
            return ("LPS_" + words.joined(), option.setting)
        }
    }
}
