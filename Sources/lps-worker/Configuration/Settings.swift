import ArgumentParser
import FastCGI
import Glibc
import Logging
import PayloadService
import StorePolicy

/// Every setting, as an option `--max-payload`. Its variable's name follows from it: `LPS_MAX_PAYLOAD`.
struct Settings: ParsableArguments {
    @Option("A file of settings, LPS_NAME=value, read again on SIGHUP; with - before it, it may be missing.", "path", .file)
    var config: Setting<String?>

    @Option(
        "The store's folder, made with 'lps init', or a bucket: s3://BUCKET[/PREFIX]?endpoint=...&region=...&path-style=... (required)",
        "place",
        .storePlace
    )
    var store: Setting<String?>

    @Option(
        "With a store in a bucket: the folder where uploads are taken in, the web server's client_body_temp_path.",
        "path",
        .folder
    )
    var incoming: Setting<String?>

    @Option(
        "With a store in a bucket: the folder of the web server's cache. What has no room there goes past it.",
        "path",
        .folder
    )
    var cache: Setting<String?>

    @Option("A unix socket's path, or host:port.", "address", .listenAddress)
    var listen: Setting<ListenAddress?>

    @Option("The unix socket's mode, in octal. (default: 0660)", "mode", .mode, else: 0o660)
    var listenMode: Setting<mode_t>

    @Option("The unix socket's owner, name or number. (default: the worker's)", "user", .user)
    var listenOwner: Setting<uid_t?>

    @Option("The unix socket's group, name or number. (default: the worker's)", "group", .group)
    var listenGroup: Setting<gid_t?>

    @Option("How many requests to serve at once, 1 to 1024. (default: 16)", "n", .threads, else: 16)
    var threads: Setting<Int>

    @Option(
        "The largest payload to take. (default: 1g)",
        "size",
        .size,
        else: PayloadService.defaultMaximumPayload,
        isReloadable: true
    )
    var maxPayload: Setting<UInt64>

    @Option(
        "Free space of the file system below which no payload is stored. (default: 1g or 5 % of the file system, whichever is smaller)",
        "size",
        .size
    )
    var reserve: Setting<UInt64?>

    @Option(
        "The file with each namespace's quota (and retention, which 'lps gc' applies); read again on SIGHUP. (default: no quotas)",
        "path",
        .policy,
        else: StorePolicy(),
        isReloadable: true
    )
    var policy: Setting<StorePolicy>

    @Option(
        "The codec server stores a payload whose serialized size is over this. (default: 128000)",
        "size",
        .size,
        else: CodecLimits().minimumSize,
        isReloadable: true
    )
    var codecMinSize: Setting<UInt64>

    @Option(
        "The codec server lets the Web UI offer a download of a payload over this, instead of showing it. (default: 1m)",
        "size",
        .size,
        else: CodecLimits().displayLimit,
        isReloadable: true
    )
    var codecDisplayLimit: Setting<UInt64>

    @Option(
        "The codec server answers a placeholder for a payload that would take a decode's answer over this. (default: 64m)",
        "size",
        .size,
        else: CodecLimits().answerLimit,
        isReloadable: true
    )
    var codecAnswerLimit: Setting<UInt64>

    @Option(
        "The least level to log: debug, info, notice, warning, error. (default: info)",
        "level",
        .logLevel,
        else: .info,
        isReloadable: true
    )
    var logLevel: Setting<Logger.Level>

    @Option(
        "A folder that the processes of the pool share: for counters, and the status page's socket, status.sock.",
        "path",
        .folder
    )
    var runtimeDir: Setting<String?>

    @Option(
        "How often to measure the store for the status page, 0 for never. (default: 1h)",
        "time",
        .time,
        else: .seconds(3600)
    )
    var measureInterval: Setting<Duration?>

    @Option(
        "Log a request that takes longer, with its phases. (default: 0, none)",
        "time",
        .time,
        else: nil,
        isReloadable: true
    )
    var slowLogAfter: Setting<Duration?>

    @Option(
        "Give up a request that takes longer, unless it is being committed: 503. (default: 0, no limit)",
        "time",
        .time,
        else: nil,
        isReloadable: true
    )
    var requestTimeout: Setting<Duration?>

    @Option(
        """
        Exit after N requests (plus up to 10 %), for the supervisor to start a new process, losing none. (default: 0, \
        never)
        """,
        "n",
        .requests,
        else: nil,
        isReloadable: true
    )
    var maxRequests: Setting<UInt64?>

    @Option("Where to log, a path or stderr. (default: stderr)", "path", .file, else: LogFile.standardError)
    var errorLog: Setting<String>

    @Option("Where to log a line for each request, a path or stderr. (default: nowhere)", "path", .file)
    var accessLog: Setting<String?>

    @Option(
        "That line: text with \(AccessFormat.Variable.list).",
        "format",
        .accessFormat,
        else: .standard,
        isReloadable: true
    )
    var accessFormat: Setting<AccessFormat>

    /// All of them, with the names of their variables.
    var all: [(name: String, setting: any AnySetting)] {
        Mirror(reflecting: self).children.compactMap { label, option in
            guard let label, let option = option as? any SettingOption else { return nil }
            // A property wrapper's own property is `_maxPayload`.
            let words = label.dropFirst().map { $0.isUppercase ? "_\($0)" : $0.uppercased() }
            return ("LPS_" + words.joined(), option.setting)
        }
    }
}
