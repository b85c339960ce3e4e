import PayloadService
import Version

extension Figure {
    /// Every figure, in the order of the page.
    static let all: [Figure] = [
        Figure("version", json: "version") { _ in .text(Version.version) }
            .metric("worker", "The version that answers."),
        Figure("store", json: "store.path") { .text($0.store) },
        Figure("start time", json: "started") { .time($0.started) }
            .metric("start_time_seconds", "When the pool's first process started, since 1970."),
        Figure("start since", json: nil) { .number($0.now - min($0.now, $0.started)) },
        Figure(nil, json: "now") { .time($0.now) },
        Figure("processes", json: nil) { .number(UInt64($0.processes.count)) }
            .metric("processes", "Worker processes that are running."),
        Figure("threads busy", json: "threads_busy") { .number($0.busy) }
            .metric("threads", threadsHelp, [("state", "busy")]),
        Figure("threads idle", json: "threads_idle") { .number($0.idle) }
            .metric("threads", threadsHelp, [("state", "idle")]),
        Figure("listen queue", json: "listen_queue.waiting") { $0.queue.map { .number($0.waiting) } }
            .metric("listen_queue", "Connections that wait for a thread."),
        Figure("listen queue limit", json: "listen_queue.limit") { $0.queue.map { .number($0.limit) } }
            .metric("listen_queue_limit", "Connections that may wait."),
        Figure("process starts", json: "starts") { .count($0.scoreboard.starts.all) }
            .metric("process_starts", "Worker processes that were started."),
        Figure("process restarts", json: "restarts") { .count($0.scoreboard.starts.again) }
            .metric("process_restarts", "Worker processes that took the place of an earlier one."),
        Figure("process deaths", json: "deaths") { .count($0.scoreboard.deaths) }
            .metric("process_deaths", "Worker processes that were killed or crashed."),
        Figure("process retirements", json: "retirements", .retirements)
            .metric("process_retirements", "Worker processes that exited after --max-requests or on SIGUSR2."),
        Figure(each: "requests *", json: "requests.count", samples: requests)
            .metric("requests", "Requests that workers have answered, by endpoint and status."),
        Figure("bytes in", json: "bytes_in", .bytesIn)
            .metric("received_bytes", "Bytes of payloads that were taken in and verified."),
        Figure("bytes out", json: "bytes_out", .bytesOut)
            .metric("sent_bytes", "Bytes of payloads that answers had, or nginx was told to send."),
        Figure("payloads stored", json: "payloads_stored", .stored)
            .metric("payloads_stored", "Payloads that were stored, new or not."),
        Figure("payloads deduplicated", json: "payloads_deduplicated", .deduplicated)
            .metric("payloads_deduplicated", "Payloads that were stored, of which the store had the content already."),
        Figure("checksum mismatches", json: "checksum_mismatches", .mismatches)
            .metric("checksum_mismatches", "Uploads that were not what was announced."),
        Figure("slow requests", json: "slow_requests", .slow)
            .metric("slow_requests", "Requests over --slow-log-after."),
        Figure("request timeouts", json: "timeouts", .timeouts)
            .metric("request_timeouts", "Requests that were given up after --request-timeout."),
        Figure(each: nil, json: "endpoints.duration", samples: endpoints)
            .metric("request_duration_seconds", "Time of a request in the worker, its answer included."),
        Figure("hash mean seconds", json: "hash") { .durations(PoolCounter.hash.read($0.scoreboard.total)) }
            .metric("hash_duration_seconds", "Time to read and hash an upload."),
        Figure("commit mean seconds", json: "commit") { .durations(PoolCounter.commit.read($0.scoreboard.total)) }
            .metric("commit_duration_seconds", "Time until an upload is on disk."),
        Figure(each: "* mean seconds", json: nil, samples: endpoints),
        Figure(nil, json: "store.filesystem_bytes") { $0.space.map { .number($0.total) } }
            .metric("store_filesystem_bytes", "Size of the store's file system."),
        Figure("store bytes free", json: "store.free_bytes") { $0.space.map { .number($0.free) } }
            .metric("store_free_bytes", "Free space of the store's file system."),
        Figure("store reserve", json: "store.reserve_bytes") { .number($0.reserve) }
            .metric("store_reserve_bytes", "Free space below which uploads get 507."),
        Figure("store objects", json: "store.objects") { $0.measure.map { .number($0.objects) } }
            .metric("store_objects", "Different contents in the store, as last measured.").unknown("not measured"),
        Figure("store bytes", json: "store.bytes") { $0.measure.map { .number($0.bytes) } }
            .metric("store_objects_bytes", "What they take on disk, as last measured.").unknown("not measured"),
        Figure("store measured", json: "store.measured") { $0.measure.map { .time($0.time) } }
            .metric("store_measured_time_seconds", "When that was measured, since 1970.").unknown("never"),
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
