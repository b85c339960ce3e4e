import ArgumentParser
import DiskStore
import EnvironmentFile
import Foundation
import TestSupport
import Testing

@testable import lps_worker

/// Configurations that `--check`, a start and a restart refuse.
@Suite struct CheckTests {
    private let folder: TemporaryFolder
    private let store: String
    private let file: String

    init() throws {
        folder = try TemporaryFolder()
        store = folder.file("store")
        file = folder.file("lps.conf")
        try DiskStore.create(at: store)
    }

    private func configuration(_ arguments: [String]) throws -> Configuration {
        try Configuration(Settings.parse(["--store", store] + arguments), environment: Environment { _ in nil })
    }

    @Test func `A good configuration file passes`() throws {
        try write("# ours\nLPS_THREADS = 4\nLPS_LISTEN='\(folder.file("lps.sock"))'\n".utf8, to: file)
        let configuration = try configuration(["--config", file])
        try Worker.check(configuration)
        #expect(configuration.settings.threads.value == 4)
        #expect(!FileManager.default.fileExists(atPath: folder.file("lps.sock")))
    }

    @Test(
        arguments: [
            ("LPS_THREADS=0", "--threads (LPS_THREADS) is '0', expected a number from 1 to 1024"),
            ("LPS_THREADS", "line 1: 'LPS_THREADS', expected NAME=value"),
            ("\n\nLPS_LISTEN='/x", "line 3: 'LPS_LISTEN='/x', expected NAME=value"),
            ("LPS_LISTEN=9000", "--listen (LPS_LISTEN) is '9000', expected a unix socket's path or host:port"),
            ("LPS_REQUEST_TIMEOUT=fast", "is 'fast', expected a time like 500ms, 30s, 5m or 1h, or 0"),
            ("LPS_ACCESS_FORMAT=$status $nothing", "has '$nothing', expected one of $time, "),
            ("LPS_RUNTIME_DIR=/nonexistent", "write to runtime folder /nonexistent: No such file or directory"),
            ("LPS_ERROR_LOG=/nonexistent/log", "open log /nonexistent/log: No such file or directory"),
            ("LPS_ACCESS_LOG=/nonexistent/log", "open log /nonexistent/log: No such file or directory"),
            ("LPS_POLICY=/nonexistent/policy", "/nonexistent/policy"),
            ("LPS_MAX_REQUESTS=-1", "'-1', expected a number of requests up to 10^12, or 0"),
            ("LPS_MAX_REQUESTS=1000000000001", "'1000000000001', expected a number of requests up to 10^12, or 0"),
            ("LPS_MAX_REQUESTS=18446744073709551616", "expected a number of requests up to 10^12, or 0"),
            ("LPS_INCOMING=/x", "--incoming (LPS_INCOMING) is for a store in a bucket"),
        ]
    )
    func `A wrong configuration is refused with its error and status 78`(text: String, message: String) throws {
        try write(text.utf8, to: file)
        try expectRefused(["--config", file], message)
    }

    @Test func `A missing store and a missing configuration file are refused`() throws {
        try expectRefused(["--store", "/nonexistent"], "store /nonexistent cannot be opened")
        let missing = folder.file("none")
        try expectRefused(["--config", missing], "read configuration \(missing): No such file or directory")
        try Worker.check(configuration(["--config=-\(missing)"]))
    }

    private func expectRefused(_ arguments: [String], _ message: String) throws {
        let error = try #require(throws: (any Error).self) { try Worker.check(configuration(arguments)) }
        #expect("\(error)".contains(message))
        #expect(!"\(error)".contains("\n"))
        #expect(LPSWorker.exitCode(for: error) == ExitCode(78))
    }

    @Test func `Unknown settings are named, except those of other programs`() throws {
        try write("LPS_TREADS=4\nLPS_GC_OLDER_THAN=45d\nLPS_SCRUB_RATE=1m\nPATH=/bin\n".utf8, to: file)
        #expect(try configuration(["--config", file]).unknown == ["LPS_TREADS"])
    }

    @Test func `Changed settings that need a restart are named`() throws {
        let old = try configuration([])
        let new = try configuration([
            "--threads", "3", "--listen-mode", "0600", "--error-log", folder.file("log"), "--max-payload", "1k",
            "--log-level", "error", "--access-format", "$status", "--max-requests", "5", "--config=-/none",
        ])
        #expect(old.fixed(unlike: new) == ["LPS_LISTEN_MODE", "LPS_THREADS", "LPS_ERROR_LOG"])
        #expect(old.fixed(unlike: try configuration(["--threads", "16"])).isEmpty, "16 is the default")
    }
}
