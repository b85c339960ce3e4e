import DiskStore
import EnvironmentFile
import FastCGI
import Foundation
import Logging
import PayloadService
import Scoreboard
import TestSupport
import Testing

@testable import lps_worker

/// What requests record on the scoreboard, and how the status page shows it.
@Suite struct StatusTests {
    private let folder: TemporaryFolder
    private let scoreboard: Scoreboard
    private let store: DiskStore

    init() throws {
        folder = try TemporaryFolder()
        scoreboard = try Scoreboard(in: nil, threads: 1)
        try DiskStore.create(at: folder.file("store"))
        store = try DiskStore(path: folder.file("store"), reserve: 0, logger: RecordedLog().logger)
    }

    private func snapshot(_ listeners: [Listener] = []) -> PoolSnapshot {
        PoolSnapshot(scoreboard, listeners: listeners, store: store, now: 2_000_000_000)
    }

    private func json(_ pool: PoolSnapshot, full: Bool = false) throws -> [String: Any] {
        let object = try JSONSerialization.jsonObject(with: Data(pool.json(full: full)))
        return try #require(object as? [String: Any])
    }

    @Test func `Every figure is once in each format that has it`() throws {
        try Measure.record(store.measureUsage(), of: store.name, at: 1_000_000_000, scoreboard)
        let pool = snapshot([try Listener(binding: .unix(path: folder.file("s")))])
        let lines = pool.text(full: false).split(separator: "\n")
        let metrics = pool.openMetrics.split(separator: "\n")
        let members = try json(pool)
        for figure in Figure.all {
            if let text = figure.text, !text.contains("*") {
                #expect(lines.count { $0.hasPrefix("\(text): ") } == 1, "\(text)")
            }
            if let metric = figure.metric {
                #expect(metrics.count { $0.hasPrefix("# TYPE lps_\(metric.name) ") } == 1, "\(metric)")
                #expect(metrics.count { $0 == "# HELP lps_\(metric.name) \(metric.help)" } == 1, "\(metric)")
            }
            if let path = figure.json?.split(separator: ".").map(String.init) {
                let member = try #require(members[path[0]], "\(path)")
                let object = (member as? [[String: Any]])?.first ?? member as? [String: Any]
                #expect(path.count == 1 || object?[path[1]] != nil, "\(path)")
            }
        }
        #expect(Set(Figure.all.compactMap(\.json)).count == Figure.all.compactMap(\.json).count)
        #expect(metrics.last == "# EOF")
        #expect(lines.contains("store measured:              2001-09-09T01:46:40Z"))
        #expect(metrics.contains("lps_store_measured_time_seconds 1000000000"))
    }

    @Test func `An unknown figure is shown as unknown on the page and omitted from JSON and metrics`() throws {
        let pool = snapshot()
        let text = pool.text(full: false)
        for line in [
            "listen queue:                unknown", "store objects:               not measured",
            "store measured:              never",
        ] {
            #expect(text.contains("\n\(line)\n"), "\(line)")
        }
        let members = try json(pool)
        #expect(members["listen_queue"] == nil)
        #expect((members["store"] as? [String: Any])?["objects"] == nil)
        #expect(!pool.openMetrics.contains("lps_listen_queue"))
        #expect(!pool.openMetrics.contains("lps_store_objects"))
    }

    @Test func `A slow request is counted in every format and logged`() throws {
        let log = RecordedLog()
        let recorder = RequestRecorder(scoreboard, threads: 1, nil, log.logger)
        func settings(_ arguments: [String]) throws -> Settings {
            try Configuration(Settings.parse(["--store", "/s"] + arguments), environment: Environment { _ in nil })
                .settings
        }
        for isSlow in [false, true] {
            let call = ServiceRequest(
                method: ArraySlice("GET".utf8),
                path: ArraySlice("/".utf8),
                query: [],
                headers: .init(),
                body: .stream { _ in 0 },
                delivery: .stream,
                allowedNamespaces: nil
            )
            let trace = RequestTrace(id: "abc", timeout: nil)
            recorder.begin(call, trace, 0)
            if isSlow { usleep(2_000) }
            trace.finish()
            recorder.end(call, trace, status: 200, try settings(isSlow ? ["--slow-log-after", "1ms"] : []))
        }
        #expect(log.text.components(separatedBy: "slow request").count == 2)
        let pool = snapshot()
        #expect(pool.text(full: false).contains("\nslow requests:               1\n"))
        #expect(try json(pool)["slow_requests"] as? Int == 1)
        #expect(pool.openMetrics.contains("\nlps_slow_requests_total 1\n"))
        #expect(pool.openMetrics.contains("\nlps_requests_total{endpoint=\"unknown\",status=\"200\"} 2\n"))
        #expect(pool.text(full: false).contains("\nrequests unknown 200:        2\n"))
    }

    @Test(arguments: RequestTrace.Phase.allCases)
    func `Each phase of a request is a thread's activity of the same code`(phase: RequestTrace.Phase) {
        #expect(Activity(phase).rawValue == phase.rawValue)
    }

    @Test func `The full page and JSON show each thread's request`() throws {
        let activity = ThreadActivity(scoreboard.row(0))
        activity.accepted()
        activity.turn(to: .hashing, RequestSubject(method: "PUT", path: "/v2/blobs/put", id: "abc", namespace: "a%20b"))
        let pool = snapshot()
        let row = try #require(pool.text(full: true).split(separator: "\n").last)
        for word in ["hashing", "PUT", "/v2/blobs/put", "a%20b", "abc"] { #expect(row.contains(" \(word)"), "\(row)") }
        let processes = try #require(json(pool, full: true)["processes"] as? [[String: Any]])
        let thread = try #require((processes.first?["threads"] as? [[String: Any]])?.first)
        #expect(thread["state"] as? String == "hashing")
        #expect(thread["namespace"] as? String == "a%20b")
        #expect(thread["digest"] == nil)
        #expect(try #require(json(pool)["processes"] as? [[String: Any]]).first?["threads"] == nil)
        #expect(pool.openMetrics.contains("lps_threads{state=\"busy\"} 1\nlps_threads{state=\"idle\"} 0\n"))
    }
}
