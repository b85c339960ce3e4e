import ByteSize
import FastCGI
import Glibc
import Logging
import PayloadService
import StorePolicy

/// What a worker is told to do: options, or else environment variables, or else defaults, validated.
struct Configuration {
    let store: String
    /// `nil`: the sockets that the process was started with.
    let listen: ListenAddress?
    let access: Listener.Access
    let threads: Int
    /// Bytes.
    let maximumPayload: UInt64
    let codec: CodecLimits
    /// Bytes; `nil`: the store's own default.
    let reserve: UInt64?
    let policy: StorePolicy
    let logLevel: Logger.Level

    init(_ options: LPSWorker, environment: Environment) throws(ConfigurationError) {
        func setting<Value>(
            _ option: String?,
            _ name: String,
            _ expected: String,
            _ parse: (String) -> Value?
        ) throws(ConfigurationError) -> Value? {
            guard let text = option ?? environment["LPS_" + name] else { return nil }
            guard let value = parse(text) else {
                let option = "--" + name.lowercased().split(separator: "_").joined(separator: "-")
                throw ConfigurationError("\(option) (LPS_\(name)) is '\(text)', expected \(expected)")
            }
            return value
        }

        guard let store = try setting(options.store, "STORE", "a path", { $0.isEmpty ? nil : $0 }) else {
            throw ConfigurationError("--store (LPS_STORE) is required")
        }
        self.store = store
        listen = try setting(
            options.listen,
            "LISTEN",
            "a unix socket's path or host:port",
            ListenAddress.init(parsing:)
        )
        access = Listener.Access(
            mode: try setting(options.listenMode, "LISTEN_MODE", "an octal mode like 0660", Self.mode) ?? 0o660,
            owner: try setting(options.listenOwner, "LISTEN_OWNER", "a user's name or number", Self.user),
            group: try setting(options.listenGroup, "LISTEN_GROUP", "a group's name or number", Self.group)
        )
        let size = "a size like 1073741824 or 1g"
        threads =
            try setting(options.threads, "THREADS", "a number from 1 to 1024") { text in
                Int(text).flatMap { (1...1024).contains($0) ? $0 : nil }
            } ?? 16
        maximumPayload =
            try setting(options.maxPayload, "MAX_PAYLOAD", size, ByteSize.parse)
            ?? PayloadService.defaultMaximumPayload
        var codec = CodecLimits()
        if let minimum = try setting(options.codecMinSize, "CODEC_MIN_SIZE", size, ByteSize.parse) {
            codec.minimumSize = minimum
        }
        if let limit = try setting(options.codecDisplayLimit, "CODEC_DISPLAY_LIMIT", size, ByteSize.parse) {
            codec.displayLimit = limit
        }
        if let limit = try setting(options.codecAnswerLimit, "CODEC_ANSWER_LIMIT", size, ByteSize.parse) {
            codec.answerLimit = limit
        }
        self.codec = codec
        reserve = try setting(options.reserve, "RESERVE", size, ByteSize.parse)
        policy =
            try setting(options.policy, "POLICY", "a path", { $0.isEmpty ? nil : $0 }).map(Self.policy) ?? StorePolicy()
        logLevel =
            try setting(options.logLevel, "LOG_LEVEL", "one of debug, info, notice, warning, error") {
                ["debug", "info", "notice", "warning", "error"].contains($0) ? Logger.Level(rawValue: $0) : nil
            } ?? .info
    }

    private static func policy(_ path: String) throws(ConfigurationError) -> StorePolicy {
        do {
            return try StorePolicy(contentsOfFile: path)
        } catch {
            throw ConfigurationError("\(error)")
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

/// A setting that makes no sense: which, its value, and what is expected.
struct ConfigurationError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
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
