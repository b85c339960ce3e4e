import Crypto
import Foundation
import Logging
import Synchronization
import TestSupport
import Testing

@testable import S3

/// One engine for all tests of a suite, with the bucket `payloads`.
struct Engine: SuiteTrait, TestScoping {
    @TaskLocal static var current: (any S3Engine)?

    var isRecursive: Bool { false }

    func provideScope(for test: Test, testCase: Test.Case?, performing run: @Sendable () async throws -> Void)
        async throws
    {
        try await Self.$current.withValue(TestEngine.start(), operation: run)
    }

    static func required() throws -> any S3Engine { try #require(current) }
}

extension Trait where Self == Engine {
    static var engine: Self { Engine() }
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
        try S3Client(
            S3Location(parsing: storeURL(bucket: bucket, prefix: prefix) + options, environment: { _ in nil }),
            credentials: credentials ?? Credentials(accessKey: accessKey, secretKey: secretKey),
            limits: limits,
            logger: log.logger,
            now: now
        )
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
        let url = "s3://\(bucket)?endpoint=http://127.0.0.1:\(port)&region=us-east-1&path-style=true" + options
        return try S3Client(
            S3Location(parsing: url, environment: { _ in nil }),
            credentials: credentials,
            limits: limits,
            logger: log.logger,
            now: now
        )
    }
}

extension S3Limits {
    /// Short pauses between many tries.
    static var quick: S3Limits {
        var limits = S3Limits()
        limits.backoff = .milliseconds(2)
        limits.longestBackoff = .milliseconds(20)
        return limits
    }

    /// No second try but at once.
    static var impatient: S3Limits {
        var limits = quick
        limits.retryFor = .zero
        return limits
    }
}

extension S3Client {
    /// Uploads bytes from a file.
    @discardableResult
    func put(_ key: [UInt8], _ bytes: [UInt8], onlyIfAbsent: Bool = true) throws -> PutOutcome {
        try withFile(bytes) { file in
            try put(
                key,
                from: file,
                size: UInt64(bytes.count),
                digest: Array(SHA256.hash(data: bytes)),
                onlyIfAbsent: onlyIfAbsent
            )
        }
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

func withFile<Result>(_ bytes: [UInt8], _ body: (Int32) throws -> Result) throws -> Result {
    let folder = try TemporaryFolder()
    defer { withExtendedLifetime(folder) {} }
    try write(bytes, to: folder.file("file"))
    let file = open(folder.file("file"), O_RDONLY)
    defer { close(file) }
    return try body(file)
}

/// The failure that something ends with.
func failure(_ body: () throws -> Void) throws -> S3Error {
    do {
        try body()
    } catch let error as S3Error {
        return error
    }
    throw NeverHappened(what: "a failure of S3")
}

func key(_ text: String) -> [UInt8] { Array(text.utf8) }
