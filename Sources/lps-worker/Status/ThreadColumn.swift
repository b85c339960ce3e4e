import Encoding
import PayloadKey
import Scoreboard

/// One value of each thread: a column of the text page's table, and a member in the JSON.
struct ThreadColumn: Sendable {
    let name: String
    let width: Int
    let json: String
    /// `nil` if the thread has no such value.
    let value: @Sendable (_ thread: ThreadRow.State, _ now: UInt64) -> Figure.Value?

    static let all = [
        ThreadColumn("state", 10, "state") { thread, _ in .text("\(Activity(rawValue: thread.code) ?? .idle)") },
        ThreadColumn("state for", 11, "state_seconds") { .seconds(seconds(since: $0.since, $1)) },
        ThreadColumn("request for", 11, "request_seconds") { thread, now in
            thread.requestSince == 0 ? nil : .seconds(seconds(since: thread.requestSince, now))
        },
        ThreadColumn("requests", 9, "requests") { thread, _ in .number(thread.requests) },
        ThreadColumn("method", 6, "method") { ascii($0.method) },
        ThreadColumn("path", 18, "path") { ascii($0.path) },
        ThreadColumn("namespace", 16, "namespace") { PercentEncoding.encodePath($0.namespace) },
        ThreadColumn("digest", 71, "digest") { $0.digest.map { "\(Digest(words: $0))" } ?? "" },
        ThreadColumn("request id", 0, "request_id") { ascii($0.id) },
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
    private init(_ name: String, _ width: Int, _ json: String, _ text: @escaping @Sendable (ThreadRow.State) -> String)
    {
        self.init(name, width, json) { thread, _ in
            let text = text(thread)
            return text.isEmpty ? nil : .text(text)
        }
    }

    /// The text of bytes from a client, with `?` for all but printable ASCII.
    private static func ascii(_ bytes: [UInt8]) -> String {
        String(
            String(decoding: bytes, as: UTF8.self).unicodeScalars
                .map { (0x20...0x7E).contains($0.value) ? Character($0) : "?" }
        )
    }

    private static func seconds(since: UInt64, _ now: UInt64) -> Double {
        now > since ? Double(now - since) / 1e9 : 0
    }
}
