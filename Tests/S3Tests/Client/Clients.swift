import Crypto
import Foundation
import Synchronization
import TestSupport

@testable import S3

/// A client of a store's URL, with short pauses and many retries.
func client(
    _ url: String,
    credentials: any CredentialsSource = Credentials(accessKey: "AKEXAMPLE", secretKey: "secret-of-the-test"),
    limits: S3Limits = .quick,
    log: RecordedLog = RecordedLog(),
    now: @escaping @Sendable () -> Int = { time(nil) }
) throws -> S3Client {
    let location = try S3Location(parsing: url, environment: { _ in nil })
    return S3Client(location, credentials: credentials, limits: limits, logger: log.logger, now: now)
}

extension S3Engine {
    func client(
        bucket: String = "payloads",
        prefix: String = "",
        options: String = "",
        credentials: (any CredentialsSource)? = nil,
        limits: S3Limits = .quick,
        log: RecordedLog = RecordedLog(),
        now: @escaping @Sendable () -> Int = { time(nil) }
    ) throws -> S3Client {
        let owner = Credentials(accessKey: accessKey, secretKey: secretKey)
        let url = storeURL(bucket: bucket, prefix: prefix) + options
        return try S3Tests.client(url, credentials: credentials ?? owner, limits: limits, log: log, now: now)
    }
}

extension ScriptedServer {
    func client(
        bucket: String = "bucket",
        options: String = "",
        credentials: any CredentialsSource = Credentials(accessKey: "AKEXAMPLE", secretKey: "secret-of-the-test"),
        limits: S3Limits = .quick,
        log: RecordedLog = RecordedLog(),
        now: @escaping @Sendable () -> Int = { time(nil) }
    ) throws -> S3Client {
        let url = "s3://\(bucket)?endpoint=http://127.0.0.1:\(port)&path-style=true" + options
        return try S3Tests.client(url, credentials: credentials, limits: limits, log: log, now: now)
    }
}

extension S3Limits {
    /// Many retries with short pauses.
    static var quick: S3Limits { with { _ in } }

    /// No retries, except immediate ones.
    static var impatient: S3Limits { with { $0.retryFor = .zero } }

    static func with(_ change: (inout S3Limits) -> Void) -> S3Limits {
        var limits = S3Limits()
        limits.backoff = .milliseconds(2)
        limits.longestBackoff = .milliseconds(20)
        change(&limits)
        return limits
    }
}

extension S3Client {
    /// Uploads bytes with their digest.
    @discardableResult
    func put(_ key: [UInt8], _ bytes: [UInt8], onlyIfAbsent: Bool = true, onPiece: () throws -> Void = {}) throws
        -> PutOutcome
    {
        let digest = Array(SHA256.hash(data: bytes))
        return try put(key, .bytes(bytes), digest: digest, onlyIfAbsent: onlyIfAbsent, onPiece: onPiece)
    }

    func contents(of key: [UInt8], _ range: Range<UInt64>) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try read(key, range) { bytes += $0 }
        return bytes
    }

    func keys(prefix: [UInt8]) throws -> [[UInt8]] {
        var keys: [[UInt8]] = []
        try list(prefix: prefix) { keys.append($0.key) }
        return keys
    }
}

func withFile<Value>(_ bytes: [UInt8], _ body: (Int32) throws -> Value) throws -> Value {
    let folder = try TemporaryFolder()
    defer { withExtendedLifetime(folder) {} }
    try write(bytes, to: folder.file("file"))
    let file = open(folder.file("file"), O_RDONLY)
    defer { close(file) }
    return try body(file)
}

/// The ``S3Error`` that a closure throws.
func failure(_ body: () throws -> Void) throws -> S3Error {
    do {
        try body()
    } catch let error as S3Error {
        return error
    }
    throw NeverHappened(what: "a failure of S3")
}

func key(_ text: String) -> [UInt8] { Array(text.utf8) }

/// Replaces refused credentials by the next ones.
final class ChangingCredentials: CredentialsSource {
    private let state: Mutex<(rest: ArraySlice<Credentials>, refused: [String])>

    init(_ all: [Credentials]) { state = Mutex((all[...], [])) }

    var refused: [String] { state.withLock { $0.refused } }

    func credentials() -> Credentials { state.withLock { $0.rest.first ?? Credentials(accessKey: "", secretKey: "") } }

    func refusedByEngine(_ credentials: Credentials) {
        state.withLock { state in
            state.refused.append(credentials.accessKey)
            if state.rest.first == credentials, state.rest.count > 1 { state.rest.removeFirst() }
        }
    }
}
