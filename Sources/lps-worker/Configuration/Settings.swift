import ArgumentParser
import FastCGI
import Glibc
import Logging
import PayloadService
import StorePolicy

/// Every setting, as an option `--max-payload`. Its variable's name follows from it: `LPS_MAX_PAYLOAD`.
struct Settings: ParsableArguments {
    @Option("A file of settings, LPS_NAME=value, read again on SIGHUP; with - before it, it may be missing.", Kind.file)
    var config: Setting<String?>

    @Option(
        "The store's folder, made with 'lps init', or a bucket: s3://BUCKET[/PREFIX]?endpoint=...&region=...&path-style=... (required)",
        Kind.storePlace
    )
    var store: Setting<String?>

    @Option(
        "With a store in a bucket: the folder where uploads are taken in, the web server's client_body_temp_path.",
        Kind.folder
    )
    var incoming: Setting<String?>

    @Option(
        "With a store in a bucket: the folder of the web server's cache. What has no room there goes past it.",
        Kind.folder
    )
    var cache: Setting<String?>

    @Option("A unix socket's path, or host:port.", Kind.listenAddress)
    var listen: Setting<ListenAddress?>

    @Option("The unix socket's mode, in octal. (default: 0660)", Kind.mode, else: 0o660)
    var listenMode: Setting<mode_t>

    @Option("The unix socket's owner, name or number. (default: the worker's)", Kind.user)
    var listenOwner: Setting<uid_t?>

    @Option("The unix socket's group, name or number. (default: the worker's)", Kind.group)
    var listenGroup: Setting<gid_t?>

    @Option("How many requests to serve at once, 1 to 1024. (default: 16)", Kind.threads, else: 16)
    var threads: Setting<Int>

    @Option(
        "The largest payload to take. (default: 1g)",
        Kind.size.reloadable,
        else: PayloadService.defaultMaximumPayload
    )
    var maxPayload: Setting<UInt64>

    @Option(
        "Free space of the file system below which no payload is stored. (default: 1g or 5 % of the file system, whichever is smaller)",
        Kind.size
    )
    var reserve: Setting<UInt64?>

    @Option(
        "The file with each namespace's quota (and retention, which 'lps gc' applies); read again on SIGHUP. (default: no quotas)",
        Kind.policy.reloadable,
        else: StorePolicy()
    )
    var policy: Setting<StorePolicy>

    @Option(
        "The codec server stores a payload whose serialized size is over this. (default: 128000)",
        Kind.size.reloadable,
        else: CodecLimits().minimumSize
    )
    var codecMinSize: Setting<UInt64>

    @Option(
        "The codec server lets the Web UI offer a download of a payload over this, instead of showing it. (default: 1m)",
        Kind.size.reloadable,
        else: CodecLimits().displayLimit
    )
    var codecDisplayLimit: Setting<UInt64>

    @Option(
        "The codec server answers a placeholder for a payload that would take a decode's answer over this. (default: 64m)",
        Kind.size.reloadable,
        else: CodecLimits().answerLimit
    )
    var codecAnswerLimit: Setting<UInt64>

    @Option(
        "The least level to log: debug, info, notice, warning, error. (default: info)",
        Kind.logLevel.reloadable,
        else: .info
    )
    var logLevel: Setting<Logger.Level>

    @Option(
        "A folder that the processes of the pool share: for counters, and the status page's socket, status.sock.",
        Kind.folder
    )
    var runtimeDir: Setting<String?>

    @Option(
        "How often to measure the store for the status page, 0 for never. (default: 1h)",
        Kind.time,
        else: .seconds(3600)
    )
    var measureInterval: Setting<Duration?>

    @Option("Log a request that takes longer, with its phases. (default: 0, none)", Kind.time.reloadable, else: nil)
    var slowLogAfter: Setting<Duration?>

    @Option(
        "Give up a request that takes longer, unless it is being committed: 503. (default: 0, no limit)",
        Kind.time.reloadable,
        else: nil
    )
    var requestTimeout: Setting<Duration?>

    @Option(
        "Exit after N requests, plus up to 10 %, so that the supervisor starts a new process. (default: 0, never)",
        Kind.requests.reloadable,
        else: nil
    )
    var maxRequests: Setting<UInt64?>

    @Option("Where to log, a path or stderr. (default: stderr)", Kind.file, else: LogFile.standardError)
    var errorLog: Setting<String>

    @Option("Where to log a line for each request, a path or stderr. (default: nowhere)", Kind.file)
    var accessLog: Setting<String?>

    @Option("That line: text with \(AccessFormat.Variable.list).", Kind.accessFormat.reloadable, else: .standard)
    var accessFormat: Setting<AccessFormat>

    /// The most files that its threads have open at once: a request has at most 16, with the folders that it makes.
    var mostOpenFiles: Int { threads.value * 16 + 64 }

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
