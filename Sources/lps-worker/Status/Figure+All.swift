import PayloadService
import Version

extension Figure {
    /// Every figure, in the order of the page.
    static let all: [Figure] = [
        Figure("version", metric: "worker", "The version that answers.") { _ in .text(Version.version) },
        Figure("store", json: "store.path") { .text($0.store) },
        Figure(
            "start time",
            json: "started",
            metric: "start_time_seconds",
            "When the pool's first process started, since 1970."
        ) { .time($0.started) },
        Figure("start since", isInJSON: false) { .number($0.now - min($0.now, $0.started)) },
        Figure(nil, json: "now") { .time($0.now) },
        Figure("processes", isInJSON: false, "Worker processes that are running.") {
            .number(UInt64($0.processes.count))
        },
        Figure("threads busy", metric: "threads", threadsHelp, labels: [("state", "busy")]) { .number($0.busy) },
        Figure("threads idle", metric: "threads", threadsHelp, labels: [("state", "idle")]) { .number($0.idle) },
        Figure("listen queue", json: "listen_queue.waiting", "Connections that wait for a thread.") {
            $0.queue.map { .number($0.waiting) }
        },
        Figure("listen queue limit", json: "listen_queue.limit", "Connections that may wait.") {
            $0.queue.map { .number($0.limit) }
        },
        Figure("process starts", json: "starts", "Worker processes that were started.") {
            .count($0.scoreboard.starts.all)
        },
        Figure("process restarts", json: "restarts", "Worker processes that took the place of an earlier one.") {
            .count($0.scoreboard.starts.again)
        },
        Figure("process deaths", json: "deaths", "Worker processes that were killed or crashed.") {
            .count($0.scoreboard.deaths)
        },
        Figure(
            .retirements,
            "process retirements",
            json: "retirements",
            "Worker processes that exited after --max-requests or on SIGUSR2."
        ),
        Figure(
            each: "requests *",
            json: "requests.count",
            metric: "requests",
            "Requests that workers have answered, by endpoint and status.",
            samples: requests
        ),
        Figure(.bytesIn, "bytes in", metric: "received_bytes", "Bytes of payloads that were taken in and verified."),
        Figure(
            .bytesOut,
            "bytes out",
            metric: "sent_bytes",
            "Bytes of payloads that answers had, or nginx was told to send."
        ),
        Figure(.stored, "payloads stored", "Payloads that were stored, new or not."),
        Figure(
            .deduplicated,
            "payloads deduplicated",
            "Payloads that were stored, of which the store had the content already."
        ),
        Figure(.mismatches, "checksum mismatches", "Uploads that were not what was announced."),
        Figure(.slow, "slow requests", "Requests over --slow-log-after."),
        Figure(.timeouts, "request timeouts", json: "timeouts", "Requests that were given up after --request-timeout."),
        Figure(
            each: nil,
            json: "endpoints.duration",
            metric: "request_duration_seconds",
            "Time of a request in the worker, its answer included.",
            samples: endpoints
        ),
        Figure("hash mean seconds", json: "hash", metric: "hash_duration_seconds", "Time to read and hash an upload.") {
            .durations(PoolCounter.hash.read($0.scoreboard.total))
        },
        Figure(
            "commit mean seconds",
            json: "commit",
            metric: "commit_duration_seconds",
            "Time until an upload is on disk."
        ) {
            .durations(PoolCounter.commit.read($0.scoreboard.total))
        },
        Figure(each: "* mean seconds", samples: endpoints),
        Figure(
            nil,
            json: "store.filesystem_bytes",
            metric: "store_filesystem_bytes",
            "Size of the store's file system."
        ) {
            $0.space.map { .number($0.total) }
        },
        Figure(
            "store bytes free",
            json: "store.free_bytes",
            metric: "store_free_bytes",
            "Free space of the store's file system."
        ) {
            $0.space.map { .number($0.free) }
        },
        Figure(
            "store reserve",
            json: "store.reserve_bytes",
            metric: "store_reserve_bytes",
            "Free space below which uploads get 507."
        ) {
            .number($0.reserve)
        },
        Figure(
            "store objects",
            json: "store.objects",
            "Different contents in the store, as last measured.",
            unknown: "not measured"
        ) {
            $0.measure.map { .number($0.objects) }
        },
        Figure(
            "store bytes",
            json: "store.bytes",
            metric: "store_objects_bytes",
            "What they take on disk, as last measured.",
            unknown: "not measured"
        ) {
            $0.measure.map { .number($0.bytes) }
        },
        Figure(
            "store measured",
            json: "store.measured",
            metric: "store_measured_time_seconds",
            "When that was measured, since 1970.",
            unknown: "never"
        ) {
            $0.measure.map { .time($0.time) }
        },
    ]

    private static let threadsHelp = "Threads by state: busy ones have a request."

    @Sendable private static func requests(_ pool: PoolSnapshot) -> [Sample] {
        RequestTrace.Endpoint.allCases.flatMap { endpoint in
            // 0 counts every status that this version does not count by itself.
            ([0] + Status.codes).map { code in
                let status = code == 0 ? "other" : "\(code)"
                let count = pool.scoreboard.total(PoolCounter.requests(endpoint, code))
                return ([("endpoint", endpoint.rawValue), ("status", status)], .count(count))
            }
        }
    }

    @Sendable private static func endpoints(_ pool: PoolSnapshot) -> [Sample] {
        RequestTrace.Endpoint.allCases.map { endpoint in
            ([("endpoint", endpoint.rawValue)], .durations(PoolCounter.whole(endpoint).read(pool.scoreboard.total)))
        }
    }
}
