extension PoolStatus {
    static let openMetricsType = "application/openmetrics-text; version=1.0.0; charset=utf-8"

    /// For Prometheus, in the OpenMetrics text format 1.0.0.
    var openMetrics: String {
        var text = OpenMetricsText()
        text.add("lps_worker", .info, "The version that answers.", [.init("_info", ["version": version], "1")])
        text.gauge("lps_start_time_seconds", "When the pool's first process started, since 1970.", started)
        text.gauge("lps_processes", "Worker processes that are running.", UInt64(processes.count))
        text.add(
            "lps_threads",
            .gauge,
            "Threads by state: busy ones have a request.",
            [
                .init("", ["state": "busy"], "\(threadsBusy)"),
                .init("", ["state": "idle"], "\(threadsIdle)"),
            ]
        )
        if let queue = listenQueue {
            text.gauge("lps_listen_queue", "Connections that wait for a thread.", UInt64(queue.waiting))
            text.gauge("lps_listen_queue_limit", "Connections that may wait.", UInt64(queue.limit))
        }
        text.counter("lps_process_starts", "Worker processes that were started.", starts)
        text.counter("lps_process_restarts", "Worker processes that took the place of an earlier one.", restarts)
        text.counter("lps_process_deaths", "Worker processes that were killed or crashed.", deaths)
        text.counter(
            "lps_process_retirements",
            "Worker processes that started anew, after --max-requests or on SIGUSR2.",
            retirements
        )
        text.add(
            "lps_requests",
            .counter,
            "Requests that workers have answered, by endpoint and status.",
            requests.map { .init("_total", ["endpoint": $0.endpoint, "status": $0.status], "\($0.count)") }
        )
        text.counter("lps_received_bytes", "Bytes of payloads that were taken in and verified.", bytesIn)
        text.counter("lps_sent_bytes", "Bytes of payloads that answers had, or nginx was told to send.", bytesOut)
        text.counter("lps_payloads_stored", "Payloads that were stored, new or not.", payloadsStored)
        text.counter(
            "lps_payloads_deduplicated",
            "Payloads that were stored, of which the store had the content already.",
            payloadsDeduplicated
        )
        text.counter("lps_checksum_mismatches", "Uploads that were not what was announced.", checksumMismatches)
        text.counter("lps_slow_requests", "Requests over --slow-log-after.", slowRequests)
        text.counter("lps_request_timeouts", "Requests that were given up after --request-timeout.", timeouts)
        text.histogram(
            "lps_request_duration_seconds",
            "Time of a request in the worker, its answer included.",
            endpoints.map { (["endpoint": $0.endpoint], $0.duration) }
        )
        text.histogram("lps_hash_duration_seconds", "Time to read and hash an upload.", [([:], hash)])
        text.histogram("lps_commit_duration_seconds", "Time until an upload is on disk.", [([:], commit)])
        if let bytes = store.filesystemBytes {
            text.gauge("lps_store_filesystem_bytes", "Size of the store's file system.", bytes)
        }
        if let bytes = store.freeBytes {
            text.gauge("lps_store_free_bytes", "Free space of the store's file system.", bytes)
        }
        text.gauge("lps_store_reserve_bytes", "Free space below which uploads get 507.", store.reserveBytes)
        if let objects = store.objects, let bytes = store.bytes, let measured = store.measured {
            text.gauge("lps_store_objects", "Different contents in the store, as last measured.", objects)
            text.gauge("lps_store_objects_bytes", "What they take on disk, as last measured.", bytes)
            text.gauge("lps_store_measured_time_seconds", "When that was measured, since 1970.", measured)
        }
        return text.finished
    }
}

/// Writes metric families as OpenMetrics 1.0.0 has them.
private struct OpenMetricsText {
    enum Kind: String {
        case counter, gauge, histogram, info
    }

    struct Sample {
        let suffix: String
        let labels: [(name: String, value: String)]
        let value: String

        /// - Parameter labels: their values have none of `"`, `\` and line breaks.
        init(_ suffix: String, _ labels: KeyValuePairs<String, String>, _ value: String) {
            self.init(suffix, labels.map { ($0, $1) }, value)
        }

        init(_ suffix: String, _ labels: [(String, String)], _ value: String) {
            self.suffix = suffix
            self.labels = labels
            self.value = value
        }
    }

    private var text = ""

    var finished: String { text + "# EOF\n" }

    mutating func add(_ name: String, _ kind: Kind, _ help: String, _ samples: [Sample]) {
        text += "# TYPE \(name) \(kind)\n"
        for unit in ["seconds", "bytes"] where name.hasSuffix("_" + unit) { text += "# UNIT \(name) \(unit)\n" }
        text += "# HELP \(name) \(help)\n"
        for sample in samples {
            let labels = sample.labels.map { "\($0.name)=\"\($0.value)\"" }.joined(separator: ",")
            text += "\(name)\(sample.suffix)\(labels.isEmpty ? "" : "{\(labels)}") \(sample.value)\n"
        }
    }

    mutating func gauge(_ name: String, _ help: String, _ value: UInt64) {
        add(name, .gauge, help, [Sample("", [:], "\(value)")])
    }

    mutating func counter(_ name: String, _ help: String, _ value: UInt64) {
        add(name, .counter, help, [Sample("_total", [:], "\(value)")])
    }

    mutating func histogram(
        _ name: String,
        _ help: String,
        _ series: [(labels: KeyValuePairs<String, String>, durations: DurationCounts)]
    ) {
        let samples = series.flatMap { labels, durations in
            let labels = labels.map { ($0, $1) }
            let bounds = Histogram.bounds.map { "\($0)" } + ["+Inf"]
            return zip(bounds, durations.cumulative).map { Sample("_bucket", labels + [("le", $0)], "\($1)") } + [
                Sample("_count", labels, "\(durations.count)"), Sample("_sum", labels, "\(durations.seconds)"),
            ]
        }
        add(name, .histogram, help, samples)
    }
}
