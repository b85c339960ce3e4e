import Encoding
import FastCGI
import PayloadService
import Scoreboard

/// A thread's state on the status page.
enum Activity: String, CaseIterable {
    case idle
    /// The thread has accepted a connection and reads the request.
    case reading
    case checking, hashing, committing, answering
    /// The thread reads the body of a request to the codec server.
    case parsing

    var code: UInt64 { UInt64(Self.allCases.firstIndex(of: self) ?? 0) }

    init(code: UInt64) {
        self = Int(exactly: code).flatMap { Self.allCases.indices.contains($0) ? Self.allCases[$0] : nil } ?? .idle
    }

    /// The activity with the phase's name.
    init(_ phase: RequestTrace.Phase) { self = Activity(rawValue: phase.rawValue) ?? .idle }
}

/// Updates one thread's row on the scoreboard.
final class ThreadActivity: @unchecked Sendable {
    // Sendable: only one thread of the pool uses it.
    private let row: ThreadRow
    private var state: ThreadRow.State

    init(_ row: ThreadRow) {
        self.row = row
        state = ThreadRow.State(code: 0, since: monotonicNow(), requestSince: 0, requests: 0, text: [])
    }

    func accepted() {
        state.requestSince = monotonicNow()
        turn(to: .reading, [])
    }

    func turn(to activity: Activity, _ subject: RequestSubject) { turn(to: activity, subject.text) }

    /// Records that the thread has made progress with its request.
    func advanced() { row.touch() }

    func closed() {
        state.requestSince = 0
        state.requests += 1
        turn(to: .idle, [])
    }

    private func turn(to activity: Activity, _ text: [UInt8]) {
        state.code = activity.code
        state.since = monotonicNow()
        state.progress = state.since
        state.text = text
        row.write(state)
    }
}

/// The text of a thread's row: the request in a few words that fit into shared memory.
struct RequestSubject: Equatable {
    var method: String
    var path: String
    var id: String
    /// Percent-encoded; empty if the request has none, or it is not known yet.
    var namespace: String
    var digest: String

    /// The fields, separated by tabs; no field contains a control character. The namespace can be long, so it comes last,
    /// where the row truncates it.
    var text: [UInt8] { Array([method, path, id, digest, namespace].joined(separator: "\t").utf8) }

    init(method: String, path: String, id: String, namespace: String = "", digest: String = "") {
        self.method = Self.field(method, 16)
        self.path = Self.field(path, 64)
        self.id = Self.field(id, 64)
        self.namespace = namespace
        self.digest = digest
    }

    /// Parses a thread's row; `nil` if the thread has no request.
    init?(_ thread: ThreadRow.State) {
        let fields = String(decoding: thread.text, as: UTF8.self)
            .split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        guard fields.count == 5 else { return nil }
        (method, path, id, digest, namespace) = (fields[0], fields[1], fields[2], fields[3], fields[4])
    }

    mutating func learn(from trace: RequestTrace) {
        if namespace.isEmpty, let known = trace.namespace { namespace = PercentEncoding.encodePath(known.utf8) }
        if digest.isEmpty, let known = trace.digest { digest = "\(known)" }
    }

    private static func field(_ text: String, _ limit: Int) -> String {
        String(text.unicodeScalars.prefix(limit).map { $0.value < 0x20 || $0.value > 0x7E ? "?" : Character($0) })
    }
}
