import ArgumentParser
import Encoding
import FastCGI
import Glibc
import Logging
import StorePolicy

/// The value types of settings: how each is parsed and described.
enum Kind {
    static let file = SettingKind<String>("path", "a path", completion: .file()) { $0 }
    static let folder = SettingKind<String>("path", "a path", completion: .directory) { $0 }
    static let storePlace = SettingKind<String>("place", "a path or s3://BUCKET…", completion: .directory) { $0 }
    static let policy = SettingKind<StorePolicy>("path", "a path", completion: .file()) {
        try StorePolicy(contentsOfFile: $0)
    }
    /// Bytes.
    static let size = SettingKind<UInt64>("size", "a size like 1073741824 or 1g", ByteSize.parse)
    /// `nil` for no limit, written as 0.
    static let requests = SettingKind<UInt64?>("n", "a number of requests up to 10^12, or 0 for no limit") { text in
        guard let number = UInt64(text), number <= 1_000_000_000_000 else { return nil }
        return .some(number == 0 ? nil : number)
    }
    /// `nil` for 0, which turns the setting off.
    static let time = SettingKind<Duration?>("time", "a time like 500ms, 30s, 5m or 1h, or 0") { text in
        let milliseconds: [String: UInt64] = ["ms": 1, "": 1000, "s": 1000, "m": 60_000, "h": 3_600_000]
        guard let time = DecimalNumber.parse(text, units: milliseconds, limit: 1_000_000_000) else { return nil }
        return .some(time == 0 ? nil : .milliseconds(time))
    }
    static let threads = SettingKind<Int>("n", "a number from 1 to 1024") { text in
        Int(text).flatMap { (1...1024).contains($0) ? $0 : nil }
    }
    static let mode = SettingKind<mode_t>("mode", "an octal mode like 0660") { text in
        mode_t(text, radix: 8).flatMap { $0 <= 0o777 ? $0 : nil }
    }
    static let user = SettingKind<uid_t>("user", "a user's name or number") {
        uid_t($0) ?? getpwnam($0)?.pointee.pw_uid
    }
    static let group = SettingKind<gid_t>("group", "a group's name or number") {
        gid_t($0) ?? getgrnam($0)?.pointee.gr_gid
    }
    static let listenAddress = SettingKind<ListenAddress>(
        "address",
        "a unix socket's path or host:port",
        completion: .file(),
        ListenAddress.init(parsing:)
    )
    /// `nil` for no other codec server.
    static let codecServer = SettingKind<CodecServerURL?>("url", "http(s)://HOST[:PORT][/PATH]") { text in
        try CodecServerURL(parsing: text).map { .some($0) }
    }
    static let logLevel = SettingKind<Logger.Level>("level", "one of debug, info, notice, warning, error") { text in
        ["debug", "info", "notice", "warning", "error"].contains(text) ? Logger.Level(rawValue: text) : nil
    }
    static let accessFormat = SettingKind<AccessFormat>("format", "text with $names", AccessFormat.init(parsing:))
}
