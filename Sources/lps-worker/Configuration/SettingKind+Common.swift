import ArgumentParser
import Encoding
import FastCGI
import Glibc
import Logging
import StorePolicy

extension SettingKind where Value == String {
    static let file = SettingKind("path", "a path", completion: .file()) { $0 }
    static let folder = SettingKind("path", "a path", completion: .directory) { $0 }
    static let storePlace = SettingKind("place", "a path or s3://BUCKET…", completion: .directory) { $0 }
}

extension SettingKind where Value == UInt64 {
    /// Bytes.
    static let size = SettingKind("size", "a size like 1073741824 or 1g", ByteSize.parse)
}

extension SettingKind where Value == UInt64? {
    /// `nil` for none, written as 0.
    static let requests = SettingKind("n", "a number of requests up to 10^12, or 0 for no end") { text in
        guard let number = UInt64(text), number <= 1_000_000_000_000 else { return nil }
        return .some(number == 0 ? nil : number)
    }
}

extension SettingKind where Value == Duration? {
    /// `nil` for none, written as 0.
    static let time = SettingKind("time", "a time like 500ms, 30s, 5m or 1h, or 0") { text in
        guard let time = Duration(parsing: text) else { return nil }
        return .some(time == .zero ? nil : time)
    }
}

extension SettingKind where Value == Int {
    static let threads = SettingKind("n", "a number from 1 to 1024") { text in
        Int(text).flatMap { (1...1024).contains($0) ? $0 : nil }
    }
}

extension SettingKind where Value == mode_t {
    static let mode = SettingKind("mode", "an octal mode like 0660") { text in
        mode_t(text, radix: 8).flatMap { $0 <= 0o777 ? $0 : nil }
    }
}

extension SettingKind where Value == uid_t {
    static let user = SettingKind("user", "a user's name or number") { uid_t($0) ?? getpwnam($0)?.pointee.pw_uid }
    static let group = SettingKind("group", "a group's name or number") { gid_t($0) ?? getgrnam($0)?.pointee.gr_gid }
}

extension SettingKind where Value == ListenAddress {
    static let listenAddress = SettingKind(
        "address",
        "a unix socket's path or host:port",
        completion: .file(),
        ListenAddress.init(parsing:)
    )
}

extension SettingKind where Value == Logger.Level {
    static let logLevel = SettingKind("level", "one of debug, info, notice, warning, error") { text in
        ["debug", "info", "notice", "warning", "error"].contains(text) ? Logger.Level(rawValue: text) : nil
    }
}

extension SettingKind where Value == AccessFormat {
    static let accessFormat = SettingKind("format", "text with $names", AccessFormat.init(parsing:))
}

extension SettingKind where Value == StorePolicy {
    static let policy = SettingKind("path", "a path", completion: .file(), read)

    private static func read(_ path: String) throws -> StorePolicy {
        do {
            return try StorePolicy(contentsOfFile: path)
        } catch {
            throw ConfigurationError(error)
        }
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
