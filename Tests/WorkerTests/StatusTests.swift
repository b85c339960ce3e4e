import DiskStore
import EnvironmentFile
import FastCGI
import Foundation
import Logging
import PayloadKey
import Scoreboard
import TestSupport
import Testing

@testable import PayloadService
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
        for isSlow in [false, true] {
            let call = request("GET", "/")
            let trace = RequestTrace()
            recorder.begin(call, trace, 0)
            if isSlow { usleep(2_000) }
            trace.finish()
            recorder.end(call, trace, status: 200, .standard, slowAfter: isSlow ? .milliseconds(1) : nil)
        }
        #expect(log.text.components(separatedBy: "slow request").count == 2)
        let pool = snapshot()
        #expect(pool.text(full: false).contains("\nslow requests:               1\n"))
        #expect(try json(pool)["slow_requests"] as? Int == 1)
        #expect(pool.openMetrics.contains("\nlps_slow_requests_total 1\n"))
        #expect(pool.openMetrics.contains("\nlps_requests_total{endpoint=\"unknown\",status=\"200\"} 2\n"))
        #expect(pool.text(full: false).contains("\nrequests unknown 200:        2\n"))
    }

    private func request(_ method: String, _ path: String) -> ServiceRequest {
        ServiceRequest(
            method: ArraySlice(method.utf8),
            path: ArraySlice(path.utf8),
            query: [],
            headers: .init(),
            body: .stream { _ in 0 },
            delivery: .stream,
            allowedNamespaces: nil
        )
    }

    @Test(arguments: RequestTrace.Phase.allCases)
    func `Each phase of a request is a thread's activity of the same name`(phase: RequestTrace.Phase) {
        #expect("\(Activity(phase))" == "\(phase)")
    }

    @Test func `Every status of the service has a counter of its own`() {
        let counters = ([0] + Status.codes).map { PoolCounter.requests(.get, $0) }
        #expect(Set(counters).count == counters.count)
        #expect(PoolCounter.requests(.get, 599) == PoolCounter.requests(.get, 0))
    }

    @Test func `A duration counts in the first bucket whose bound is not below it, and in the sum`() {
        let histogram = Histogram(first: 0)
        for (index, bound) in Histogram.bounds.enumerated() {
            #expect(histogram.bucket(bound) == index)
            #expect(histogram.bucket(bound + 1) == index + 1)
        }
        #expect(Histogram.boundNames.prefix(2) == ["0.001", "0.0025"])
        #expect(Histogram.boundNames.suffix(3) == ["120.0", "300.0", "+Inf"])
        for duration: UInt64 in [0, 2_000_000, 400_000_000_000] { scoreboard.add(duration, to: histogram) }
        let counts = histogram.read(scoreboard.total)
        #expect(counts.cumulative.first == 1)
        #expect(counts.cumulative[1] == 2)
        #expect(counts.count == 3)
        #expect(counts.seconds == 400.002)
    }

    @Test func `The page escapes what a client sent`() throws {
        let activity = ThreadActivity(scoreboard, thread: 0)
        activity.accepted()
        activity.begin(request("P\tT", "/é\u{1B}[2J\"\u{7F}"), RequestTrace(id: Array("a\nb".utf8)[...]))
        let thread = try #require(json(snapshot(), full: true).thread)
        #expect(thread["method"] as? String == "P?T")
        #expect(thread["path"] as? String == "/??[2J\"?")
        #expect(thread["request_id"] as? String == "a?b")
        let row = try #require(snapshot().text(full: true).split(separator: "\n").last)
        #expect(row.contains(" P?T ") && row.contains(" /??[2J\"? ") && row.hasSuffix(" a?b"), "\(row)")
    }

    @Test func `The full page and JSON show each thread's request`() throws {
        let activity = ThreadActivity(scoreboard, thread: 0)
        activity.accepted()
        let trace = RequestTrace(id: Array("abc".utf8)[...])
        activity.begin(request("PUT", "/v2/blobs/put"), trace)
        trace.subject.namespace = try Namespace(validating: Array("a b".utf8))
        trace.turn(to: .hashing)
        let pool = snapshot()
        let row = try #require(pool.text(full: true).split(separator: "\n").last)
        for word in ["hashing", "PUT", "/v2/blobs/put", "a%20b", "abc"] { #expect(row.contains(" \(word)"), "\(row)") }
        var thread = try #require(json(pool, full: true).thread)
        #expect(thread["state"] as? String == "hashing")
        #expect(thread["namespace"] as? String == "a%20b")
        #expect(thread["digest"] == nil)
        #expect(try #require(json(pool)["processes"] as? [[String: Any]]).first?["threads"] == nil)
        #expect(pool.openMetrics.contains("lps_threads{state=\"busy\"} 1\nlps_threads{state=\"idle\"} 0\n"))
        trace.subject.digest = Digest(of: Array("a".utf8))
        trace.turn(to: .committing)
        thread = try #require(json(snapshot(), full: true).thread)
        #expect(thread["state"] as? String == "committing")
        let hex = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
        #expect(thread["digest"] as? String == "sha256:\(hex)")
        activity.closed()
        thread = try #require(json(snapshot(), full: true).thread)
        #expect(Set(thread.keys) == ["state", "state_seconds", "requests"])
    }
}

extension [String: Any] {
    /// The first thread of the page's first process.
    fileprivate var thread: [String: Any]? {
        ((self["processes"] as? [[String: Any]])?.first?["threads"] as? [[String: Any]])?.first
    }
}
