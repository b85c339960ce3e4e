import PayloadService
import Version

extension Figure {
    /// All figures, in the order of the page.
    static let all: [Figure] = [
        Figure("version", json: "version") { _ in .text(Version.version) }
            .metric("worker", "Version of the worker that answers."),
        Figure("store", json: "store.path") { .text($0.store) },
        Figure("start time", json: "started") { .time($0.started) }
            .metric("start_time_seconds", "Time the pool's first process started, in seconds since 1970."),
        Figure("start since", json: nil) { .number($0.now - min($0.now, $0.started)) },
        Figure(nil, json: "now") { .time($0.now) },
        Figure("processes", json: nil) { .number(UInt64($0.processes.count)) }
            .metric("processes", "Running worker processes."),
        Figure("threads busy", json: "threads_busy") { .number($0.busy) }
            .metric("threads", threadsHelp, [("state", "busy")]),
        Figure("threads idle", json: "threads_idle") { .number($0.idle) }
            .metric("threads", threadsHelp, [("state", "idle")]),
        Figure("listen queue", json: "listen_queue.waiting") { $0.queue.map { .number($0.waiting) } }
            .metric("listen_queue", "Connections waiting for a thread."),
        Figure("listen queue limit", json: "listen_queue.limit") { $0.queue.map { .number($0.limit) } }
            .metric("listen_queue_limit", "Connections that can wait; more are refused."),
        Figure("process starts", json: "starts") { .count($0.scoreboard.starts.all) }
            .metric("process_starts", "Worker processes started."),
        Figure("process restarts", json: "restarts") { .count($0.scoreboard.starts.again) }
            .metric("process_restarts", "Worker processes that replaced an earlier one."),
        Figure("process deaths", json: "deaths") { .count($0.scoreboard.deaths) }
            .metric("process_deaths", "Worker processes that were killed or crashed."),
        Figure("process retirements", json: "retirements", .retirements)
            .metric("process_retirements", "Worker processes that exited after --max-requests or on SIGUSR2."),
        Figure(each: "requests *", json: "requests.count", samples: requests)
            .metric("requests", "Requests answered by workers, by endpoint and status."),
        Figure("bytes in", json: "bytes_in", .bytesIn)
            .metric("received_bytes", "Payload bytes received and verified."),
        Figure("bytes out", json: "bytes_out", .bytesOut)
            .metric("sent_bytes", "Payload bytes sent, or that nginx was told to send."),
        Figure("payloads stored", json: "payloads_stored", .stored)
            .metric("payloads_stored", "Payloads stored, new or not."),
        Figure("payloads deduplicated", json: "payloads_deduplicated", .deduplicated)
            .metric("payloads_deduplicated", "Payloads stored whose content was already in the store."),
        Figure("checksum mismatches", json: "checksum_mismatches", .mismatches)
            .metric("checksum_mismatches", "Uploads that did not match their digest or length."),
        Figure("slow requests", json: "slow_requests", .slow)
            .metric("slow_requests", "Requests that took longer than --slow-log-after."),
        Figure("request timeouts", json: "timeouts", .timeouts)
            .metric("request_timeouts", "Requests that exceeded --request-timeout."),
        Figure(each: nil, json: "endpoints.duration", samples: endpoints)
            .metric("request_duration_seconds", "Time a request spent in the worker, including its answer."),
        Figure("hash mean seconds", json: "hash") { .durations(PoolCounter.hash.read($0.scoreboard.total)) }
            .metric("hash_duration_seconds", "Time to read and hash an upload."),
        Figure("commit mean seconds", json: "commit") { .durations(PoolCounter.commit.read($0.scoreboard.total)) }
            .metric("commit_duration_seconds", "Time to commit an upload to disk."),
        Figure(each: "* mean seconds", json: nil, samples: endpoints),
        Figure(nil, json: "store.filesystem_bytes") { $0.space.map { .number($0.total) } }
            .metric("store_filesystem_bytes", "Size of the store's file system in bytes."),
        Figure("store bytes free", json: "store.free_bytes") { $0.space.map { .number($0.free) } }
            .metric("store_free_bytes", "Free bytes in the store's file system."),
        Figure("store reserve", json: "store.reserve_bytes") { .number($0.reserve) }
            .metric("store_reserve_bytes", "Free bytes below which uploads get 507."),
        Figure("store objects", json: "store.objects") { $0.measure.map { .number($0.objects) } }
            .metric("store_objects", "Objects in the store when last measured.").unknown("not measured"),
        Figure("store bytes", json: "store.bytes") { $0.measure.map { .number($0.bytes) } }
            .metric("store_objects_bytes", "Bytes on disk of the store's objects.").unknown("not measured"),
        Figure("store measured", json: "store.measured") { $0.measure.map { .time($0.time) } }
            .metric("store_measured_time_seconds", "Time of the last measure, in seconds since 1970.").unknown("never"),
    ]

    private static let threadsHelp = "Threads by state; busy threads have a request."

    @Sendable private static func requests(_ pool: PoolSnapshot) -> [Sample] {
        RequestTrace.Endpoint.allCases.flatMap { endpoint in
            // 0 counts every status that has no counter in this version.
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
