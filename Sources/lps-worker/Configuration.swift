import Encoding
import EnvironmentFile
import FastCGI
import Glibc
import Logging
import PayloadService
import StorePolicy
import System
import SystemPackage

/// What a worker is told to do: options, or else what the configuration file has, or else environment variables, or
/// else defaults, validated.
struct Configuration {
    let store: ConfiguredStore
    /// `nil`: the sockets that the process was started with.
    let listen: ListenAddress?
    let access: Listener.Access
    let threads: Int
    /// The most files that its threads have open at once: a request has at most 16, with the folders that it makes.
    var mostOpenFiles: Int { threads * 16 + 64 }
    /// Bytes; `nil`: the store's own default.
    let reserve: UInt64?
    /// What the pool's processes share; `nil`: they share nothing, and have no status page.
    let runtimeFolder: String?
    /// How often to measure the store; `nil`: never.
    let measureInterval: Duration?
    let errorLog: String
    /// `nil`: none.
    let accessLog: String?
    let settings: Settings
    /// Names in the configuration file that mean nothing.
    let unknown: [String]

    /// What can change while a worker runs.
    struct Settings: Sendable {
        /// Bytes.
        let maximumPayload: UInt64
        let codec: CodecLimits
        let logLevel: Logger.Level
        let slowLogAfter: Duration?
        let requestTimeout: Duration?
        /// After how many requests a process starts anew.
        let maximumRequests: UInt64?
        let accessFormat: AccessFormat
        let policy: StorePolicy
    }

    init(_ options: LPSWorker, environment: Environment) throws(ConfigurationError) {
        var source = Source(environment: environment)
        if let path = try source.setting(options.config, "CONFIG", "a path", { $0 }) {
            source.file = try Self.file(path)
        }
        guard let store = try source.setting(options.store, "STORE", "a path or s3://BUCKET…", { $0 }) else {
            throw ConfigurationError("--store (LPS_STORE) is required")
        }
        let incoming = try source.setting(options.incoming, "INCOMING", "a path", { $0 })
        let cache = try source.setting(options.cache, "CACHE", "a path", { $0 })
        let lookUp = source.lookUp
        self.store = try ConfiguredStore(store, incoming: incoming, cache: cache, environment: lookUp)
        listen = try source.setting(
            options.listen,
            "LISTEN",
            "a unix socket's path or host:port",
            ListenAddress.init(parsing:)
        )
        access = Listener.Access(
            mode: try source.setting(options.listenMode, "LISTEN_MODE", "an octal mode like 0660", Self.mode) ?? 0o660,
            owner: try source.setting(options.listenOwner, "LISTEN_OWNER", "a user's name or number", Self.user),
            group: try source.setting(options.listenGroup, "LISTEN_GROUP", "a group's name or number", Self.group)
        )
        threads =
            try source.setting(options.threads, "THREADS", "a number from 1 to 1024") { text in
                Int(text).flatMap { (1...1024).contains($0) ? $0 : nil }
            } ?? 16
        reserve = try source.size(options.reserve, "RESERVE")
        runtimeFolder = try source.setting(options.runtimeDir, "RUNTIME_DIR", "a path", { $0 })
        measureInterval = try source.duration(options.measureInterval, "MEASURE_INTERVAL", default: .seconds(3600))
        errorLog = try source.setting(options.errorLog, "ERROR_LOG", "a path", { $0 }) ?? LogFile.standardError
        accessLog = try source.setting(options.accessLog, "ACCESS_LOG", "a path", { $0 })
        settings = try Settings(options, &source)
        try self.store.check(settings)
        unknown = source.unknown
    }

    /// The names of the settings that differ, and that a worker can't change while it runs.
    func fixed(unlike other: Configuration) -> [String] {
        [
            ("LPS_STORE", store.text == other.store.text), ("LPS_INCOMING", store.incoming == other.store.incoming),
            ("LPS_CACHE", store.cache == other.store.cache),
            ("LPS_LISTEN", listen == other.listen),
            ("LPS_LISTEN_MODE", access.mode == other.access.mode),
            ("LPS_LISTEN_OWNER", access.owner == other.access.owner),
            ("LPS_LISTEN_GROUP", access.group == other.access.group), ("LPS_THREADS", threads == other.threads),
            ("LPS_RESERVE", reserve == other.reserve), ("LPS_RUNTIME_DIR", runtimeFolder == other.runtimeFolder),
            ("LPS_MEASURE_INTERVAL", measureInterval == other.measureInterval),
            ("LPS_ERROR_LOG", errorLog == other.errorLog), ("LPS_ACCESS_LOG", accessLog == other.accessLog),
        ].filter { !$0.1 }.map(\.0)
            + zip(store.ofAWS, other.store.ofAWS).filter { $0.value != $1.value }.map(\.0.name)
    }

    private static func file(_ path: String) throws(ConfigurationError) -> EnvironmentFile? {
        do {
            return try EnvironmentFile(named: path)
        } catch {
            throw ConfigurationError(error)
        }
    }

    private static func mode(_ text: String) -> mode_t? {
        mode_t(text, radix: 8).flatMap { $0 <= 0o777 ? $0 : nil }
    }

    private static func user(_ text: String) -> uid_t? {
        uid_t(text) ?? getpwnam(text)?.pointee.pw_uid
    }

    private static func group(_ text: String) -> gid_t? {
        gid_t(text) ?? getgrnam(text)?.pointee.gr_gid
    }
}

extension Configuration.Settings {
    fileprivate init(_ options: LPSWorker, _ source: inout Source) throws(ConfigurationError) {
        maximumPayload = try source.size(options.maxPayload, "MAX_PAYLOAD") ?? PayloadService.defaultMaximumPayload
        var codec = CodecLimits()
        if let minimum = try source.size(options.codecMinSize, "CODEC_MIN_SIZE") { codec.minimumSize = minimum }
        if let limit = try source.size(options.codecDisplayLimit, "CODEC_DISPLAY_LIMIT") { codec.displayLimit = limit }
        if let limit = try source.size(options.codecAnswerLimit, "CODEC_ANSWER_LIMIT") { codec.answerLimit = limit }
        self.codec = codec
        logLevel =
            try source.setting(options.logLevel, "LOG_LEVEL", "one of debug, info, notice, warning, error") {
                ["debug", "info", "notice", "warning", "error"].contains($0) ? Logger.Level(rawValue: $0) : nil
            } ?? .info
        slowLogAfter = try source.duration(options.slowLogAfter, "SLOW_LOG_AFTER")
        requestTimeout = try source.duration(options.requestTimeout, "REQUEST_TIMEOUT")
        maximumRequests =
            try source.setting(options.maxRequests, "MAX_REQUESTS", "a number of requests up to 10^12, or 0 for no end")
        {
            UInt64($0).flatMap { $0 <= 1_000_000_000_000 ? $0 : nil }
        }
        .flatMap { $0 == 0 ? nil : $0 }
        let format = try source.setting(options.accessFormat, "ACCESS_FORMAT", "text with $names") { $0 }
        accessFormat = try AccessFormat(parsing: format ?? AccessFormat.standard)
        policy = try source.setting(options.policy, "POLICY", "a path", { $0 }).map(Self.policy) ?? StorePolicy()
    }

    private static func policy(_ path: String) throws(ConfigurationError) -> StorePolicy {
        do {
            return try StorePolicy(contentsOfFile: path)
        } catch {
            throw ConfigurationError(error)
        }
    }
}

/// Where settings come from, and which there are.
private struct Source {
    let environment: Environment
    var file: EnvironmentFile?
    /// The names that were asked for.
    var known: Set<String> = []

    init(environment: Environment) {
        self.environment = environment
    }

    /// The settings of the file that are not known: most likely misspelt.
    var unknown: [String] {
        // The timers of lps gc and lps scrub have theirs in the same file.
        (file?.names ?? []).filter { name in
            name.hasPrefix("LPS_") && !known.contains(name) && !name.hasPrefix("LPS_GC_")
                && !name.hasPrefix("LPS_SCRUB_")
        }.sorted()
    }

    /// The value of a variable that is another program's, too; of the file, or else of the environment.
    var lookUp: @Sendable (String) -> String? {
        { [file, environment] name in file?[name] ?? environment[name] }
    }

    mutating func setting<Value>(
        _ option: String?,
        _ name: String,
        _ expected: String,
        _ parse: (String) -> Value?
    ) throws(ConfigurationError) -> Value? {
        let variable = "LPS_" + name
        known.insert(variable)
        guard let text = option ?? file?[variable] ?? environment[variable] else { return nil }
        guard !text.isEmpty, let value = parse(text) else {
            let option = "--" + name.lowercased().split(separator: "_").joined(separator: "-")
            throw ConfigurationError("\(option) (\(variable)) is '\(text)', expected \(expected)")
        }
        return value
    }

    mutating func size(_ option: String?, _ name: String) throws(ConfigurationError) -> UInt64? {
        try setting(option, name, "a size like 1073741824 or 1g", ByteSize.parse)
    }

    /// `nil` for none, written as 0.
    mutating func duration(
        _ option: String?,
        _ name: String,
        default standard: Duration? = nil
    ) throws(ConfigurationError) -> Duration? {
        guard
            let duration = try setting(option, name, "a time like 500ms, 30s, 5m or 1h, or 0", Duration.init(parsing:))
        else { return standard }
        return duration == .zero ? nil : duration
    }
}

extension Duration {
    /// Reads a time as an operator writes it: a whole number with `ms`, `s`, `m` or `h`; without one, seconds.
    init?(parsing text: String) {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int64(digits), number <= 1_000_000_000 else { return nil }
        switch text[digits.endIndex...] {
        case "ms": self = .milliseconds(number)
        case "", "s": self = .seconds(number)
        case "m": self = .seconds(number * 60)
        case "h": self = .seconds(number * 3600)
        default: return nil
        }
    }
}

/// A setting that makes no sense: which, its value, and what is expected.
struct ConfigurationError: Error, CustomStringConvertible {
    let description: String
    /// Whether the next start may succeed with the same configuration: the system lacked something, or the disk has failed
    /// for once.
    let mayPass: Bool

    /// - Parameter errno: the failure of the system call, where one failed.
    init(_ description: String, errno: Errno? = nil) {
        self.description = description
        mayPass = errno?.mayPass ?? false
    }

    /// What failed that the configuration asks for.
    init(_ error: any Error) {
        self.init("\(error)", errno: (error as? SystemCallError)?.errno)
    }

    /// The failure of a system call just now: reads `errno`.
    static func system(_ action: String) -> ConfigurationError {
        let error = Errno(rawValue: errno)
        return ConfigurationError("\(action): \(error)", errno: error)
    }
}

/// The environment's variables; an empty one counts as absent.
struct Environment: Sendable {
    private let value: @Sendable (String) -> String?

    static let process = Environment { name in getenv(name).map { String(cString: $0) } }

    init(_ value: @escaping @Sendable (String) -> String?) {
        self.value = value
    }

    subscript(name: String) -> String? {
        value(name).flatMap { $0.isEmpty ? nil : $0 }
    }
}
