import PayloadService
import Version

extension Figure {
    /// Every figure, in the order of the page: its name in text, JSON and OpenMetrics, and the help there.
    static let all: [Figure] = [
        Figure("version", "version", "worker", "The version that answers.") { _ in .text(Version.version) },
        Figure("store", "store.path") { .text($0.store) },
        Figure("start time", "started", "start_time_seconds", "When the pool's first process started, since 1970.") {
            .time($0.started)
        },
        Figure("start since", nil) { .number($0.now - min($0.now, $0.started)) },
        Figure(nil, "now") { .time($0.now) },
        Figure("processes", nil, "processes", "Worker processes that are running.") {
            .number(UInt64($0.processes.count))
        },
        Figure("threads busy", "threads_busy", "threads", threadsHelp, labels: [("state", "busy")]) {
            .number($0.busy)
        },
        Figure("threads idle", "threads_idle", "threads", threadsHelp, labels: [("state", "idle")]) {
            .number($0.idle)
        },
        Figure("listen queue", "listen_queue.waiting", "listen_queue", "Connections that wait for a thread.") {
            $0.queue.map { .number($0.waiting) }
        },
        Figure("listen queue limit", "listen_queue.limit", "listen_queue_limit", "Connections that may wait.") {
            $0.queue.map { .number($0.limit) }
        },
        Figure("process starts", "starts", "process_starts", "Worker processes that were started.") {
            .count($0.scoreboard.starts.all)
        },
        Figure(
            "process restarts",
            "restarts",
            "process_restarts",
            "Worker processes that took the place of an earlier one."
        ) {
            .count($0.scoreboard.starts.again)
        },
        Figure("process deaths", "deaths", "process_deaths", "Worker processes that were killed or crashed.") {
            .count($0.scoreboard.deaths)
        },
        Figure(
            .retirements,
            "process retirements",
            "retirements",
            "process_retirements",
            "Worker processes that exited after --max-requests or on SIGUSR2."
        ),
        Figure(
            each: "requests *",
            "requests.count",
            "requests",
            "Requests that workers have answered, by endpoint and status.",
            samples: requests
        ),
        Figure(
            .bytesIn,
            "bytes in",
            "bytes_in",
            "received_bytes",
            "Bytes of payloads that were taken in and verified."
        ),
        Figure(
            .bytesOut,
            "bytes out",
            "bytes_out",
            "sent_bytes",
            "Bytes of payloads that answers had, or nginx was told to send."
        ),
        Figure(
            .stored,
            "payloads stored",
            "payloads_stored",
            "payloads_stored",
            "Payloads that were stored, new or not."
        ),
        Figure(
            .deduplicated,
            "payloads deduplicated",
            "payloads_deduplicated",
            "payloads_deduplicated",
            "Payloads that were stored, of which the store had the content already."
        ),
        Figure(
            .mismatches,
            "checksum mismatches",
            "checksum_mismatches",
            "checksum_mismatches",
            "Uploads that were not what was announced."
        ),
        Figure(.slow, "slow requests", "slow_requests", "slow_requests", "Requests over --slow-log-after."),
        Figure(
            .timeouts,
            "request timeouts",
            "timeouts",
            "request_timeouts",
            "Requests that were given up after --request-timeout."
        ),
        Figure(
            each: nil,
            "endpoints.duration",
            "request_duration_seconds",
            "Time of a request in the worker, its answer included.",
            samples: endpoints
        ),
        Figure("hash mean seconds", "hash", "hash_duration_seconds", "Time to read and hash an upload.") {
            .durations(PoolCounter.hash.read($0.scoreboard.total))
        },
        Figure("commit mean seconds", "commit", "commit_duration_seconds", "Time until an upload is on disk.") {
            .durations(PoolCounter.commit.read($0.scoreboard.total))
        },
        Figure(each: "* mean seconds", nil, samples: endpoints),
        Figure(nil, "store.filesystem_bytes", "store_filesystem_bytes", "Size of the store's file system.") {
            $0.space.map { .number($0.total) }
        },
        Figure("store bytes free", "store.free_bytes", "store_free_bytes", "Free space of the store's file system.") {
            $0.space.map { .number($0.free) }
        },
        Figure("store reserve", "store.reserve_bytes", "store_reserve_bytes", "Free space below which uploads get 507.")
        {
            .number($0.reserve)
        },
        Figure(
            "store objects",
            "store.objects",
            "store_objects",
            "Different contents in the store, as last measured.",
            unknown: "not measured"
        ) { $0.measure.map { .number($0.objects) } },
        Figure(
            "store bytes",
            "store.bytes",
            "store_objects_bytes",
            "What they take on disk, as last measured.",
            unknown: "not measured"
        ) { $0.measure.map { .number($0.bytes) } },
        Figure(
            "store measured",
            "store.measured",
            "store_measured_time_seconds",
            "When that was measured, since 1970.",
            unknown: "never"
        ) { $0.measure.map { .time($0.time) } },
    ]

    private static let threadsHelp = "Threads by state: busy ones have a request."

    @Sendable private static func requests(_ pool: PoolSnapshot) -> [Sample] {
        RequestTrace.Endpoint.allCases.flatMap { endpoint in
            // 0 counts every status that this version does not count by itself.
            ([0] + Status.codes).map { code in
                (
                    [("endpoint", endpoint.rawValue), ("status", code == 0 ? "other" : "\(code)")],
                    .count(pool.scoreboard.total(PoolCounter.requests(endpoint, code)))
                )
            }
        }
    }

    @Sendable private static func endpoints(_ pool: PoolSnapshot) -> [Sample] {
        RequestTrace.Endpoint.allCases.map { endpoint in
            ([("endpoint", endpoint.rawValue)], .durations(PoolCounter.whole(endpoint).read(pool.scoreboard.total)))
        }
    }
}
