import Scoreboard

/// One value of each thread: a column of the text page's table, and a member in the JSON.
struct ThreadColumn: Sendable {
    let name: String
    let width: Int
    let json: String
    /// `nil` if the thread has no such value.
    let value: @Sendable (_ thread: ThreadRow.State, _ now: UInt64) -> Figure.Value?

    static let all = [
        ThreadColumn("state", 10, "state") { thread, _ in .text(Activity(code: thread.code).rawValue) },
        ThreadColumn("state for", 11, "state_seconds") { .seconds(seconds(since: $0.since, $1)) },
        ThreadColumn("request for", 11, "request_seconds") { thread, now in
            thread.requestSince == 0 ? nil : .seconds(seconds(since: thread.requestSince, now))
        },
        ThreadColumn("requests", 9, "requests") { thread, _ in .number(thread.requests) },
        ThreadColumn("method", 6, "method") { $0.method },
        ThreadColumn("path", 18, "path") { $0.path },
        ThreadColumn("namespace", 16, "namespace") { $0.namespace },
        ThreadColumn("digest", 71, "digest") { $0.digest },
        ThreadColumn("request id", 0, "request_id") { $0.id },
    ]

    private init(
        _ name: String,
        _ width: Int,
        _ json: String,
        _ value: @escaping @Sendable (ThreadRow.State, _ now: UInt64) -> Figure.Value?
    ) {
        self.name = name
        self.width = width
        self.json = json
        self.value = value
    }

    /// Makes a column that shows a value of the thread's request.
    private init(_ name: String, _ width: Int, _ json: String, _ text: @escaping @Sendable (RequestSubject) -> String) {
        self.init(name, width, json) { thread, _ in
            RequestSubject(thread).map(text).flatMap { $0.isEmpty ? nil : .text($0) }
        }
    }

    private static func seconds(since: UInt64, _ now: UInt64) -> Double {
        now > since ? Double(now - since) / 1e9 : 0
    }
}
