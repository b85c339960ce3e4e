import Encoding
import FastCGI
import PayloadService
import Scoreboard

/// What a thread of the pool is doing, as the status page tells it.
enum Activity: String, CaseIterable {
    case idle
    /// A connection is there, its request is being read.
    case reading
    case checking, hashing, committing, answering
    /// The body of a request to the codec server.
    case parsing

    var code: UInt64 { UInt64(Self.allCases.firstIndex(of: self) ?? 0) }

    init(code: UInt64) {
        self = Int(exactly: code).flatMap { Self.allCases.indices.contains($0) ? Self.allCases[$0] : nil } ?? .idle
    }

    /// Each phase has an activity of its name.
    init(_ phase: RequestTrace.Phase) { self = Activity(rawValue: phase.rawValue) ?? .idle }
}

/// Keeps the scoreboard's row of one thread.
final class ThreadActivity: @unchecked Sendable {
    // Sendable: only the pool's thread of that number uses it.
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

    /// A piece of the request's work is done.
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

/// What a row says of its request: a few words, in a form that fits into shared memory.
struct RequestSubject: Equatable {
    var method: String
    var path: String
    var id: String
    /// Percent-encoded; empty when there is none, or none is known yet.
    var namespace: String
    var digest: String

    /// The fields, none of which has a control character, with tabs between them. The namespace, which may be long,
    /// comes last and loses its end.
    var text: [UInt8] { Array([method, path, id, digest, namespace].joined(separator: "\t").utf8) }

    init(method: String, path: String, id: String, namespace: String = "", digest: String = "") {
        self.method = Self.field(method, 16)
        self.path = Self.field(path, 64)
        self.id = Self.field(id, 64)
        self.namespace = namespace
        self.digest = digest
    }

    /// What a thread's row says of its request; `nil` when it has none.
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
