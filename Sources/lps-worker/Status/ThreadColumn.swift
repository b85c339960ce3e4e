import Scoreboard

/// What the page tells of each thread: a column of the table, and a member in the JSON.
struct ThreadColumn: Sendable {
    let name: String
    let width: Int
    let json: String
    /// `nil` for none.
    let value: @Sendable (_ thread: ThreadRow.State, _ now: UInt64) -> Figure.Value?

    static let all = [
        ThreadColumn(name: "state", width: 10, json: "state") { thread, _ in .text(Activity(code: thread.code).rawValue)
        },
        ThreadColumn(name: "state for", width: 11, json: "state_seconds") { .seconds(seconds(since: $0.since, $1)) },
        ThreadColumn(name: "request for", width: 11, json: "request_seconds") { thread, now in
            thread.requestSince == 0 ? nil : .seconds(seconds(since: thread.requestSince, now))
        },
        ThreadColumn(name: "requests", width: 9, json: "requests") { thread, _ in .number(thread.requests) },
        ThreadColumn(name: "method", width: 6, json: "method") { thread, _ in present(RequestSubject(thread)?.method) },
        ThreadColumn(name: "path", width: 18, json: "path") { thread, _ in present(RequestSubject(thread)?.path) },
        ThreadColumn(name: "namespace", width: 16, json: "namespace") { thread, _ in
            present(RequestSubject(thread)?.namespace)
        },
        ThreadColumn(name: "digest", width: 71, json: "digest") { thread, _ in present(RequestSubject(thread)?.digest)
        },
        ThreadColumn(name: "request id", width: 0, json: "request_id") { thread, _ in
            present(RequestSubject(thread)?.id)
        },
    ]

    private static func present(_ text: String?) -> Figure.Value? {
        text.flatMap { $0.isEmpty ? nil : .text($0) }
    }

    private static func seconds(since: UInt64, _ now: UInt64) -> Double {
        now > since ? Double(now - since) / 1e9 : 0
    }
}
