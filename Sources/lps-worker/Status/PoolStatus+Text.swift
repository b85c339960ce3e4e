import FoundationEssentials

extension PoolStatus {
    /// For people: a line for each figure, as PHP-FPM's status page has them.
    ///
    /// - Parameter full: whether a row for each thread follows.
    func text(full: Bool) -> String {
        var lines = figures.map { name, value in name + ":" + Self.padding(name, 28) + value }
        if full { lines += ["", Self.row(Self.columns)] + processes.flatMap(Self.rows) }
        return lines.joined(separator: "\n") + "\n"
    }

    private var figures: [(name: String, value: String)] {
        var figures: [(String, String)] = [
            ("version", version),
            ("store", store.path),
            ("start time", Self.time(started)),
            ("start since", "\(now - min(now, started))"),
            ("processes", "\(processes.count)"),
            ("threads busy", "\(threadsBusy)"),
            ("threads idle", "\(threadsIdle)"),
            ("listen queue", listenQueue.map { "\($0.waiting)" } ?? "unknown"),
            ("listen queue limit", listenQueue.map { "\($0.limit)" } ?? "unknown"),
            ("process starts", "\(starts)"),
            ("process restarts", "\(restarts)"),
            ("process deaths", "\(deaths)"),
            ("process retirements", "\(retirements)"),
        ]
        figures += requests.filter { $0.count > 0 }.map { ("requests \($0.endpoint) \($0.status)", "\($0.count)") }
        figures += [
            ("bytes in", "\(bytesIn)"),
            ("bytes out", "\(bytesOut)"),
            ("payloads stored", "\(payloadsStored)"),
            ("payloads deduplicated", "\(payloadsDeduplicated)"),
            ("checksum mismatches", "\(checksumMismatches)"),
            ("slow requests", "\(slowRequests)"),
            ("request timeouts", "\(timeouts)"),
            ("hash mean seconds", Self.mean(hash)),
            ("commit mean seconds", Self.mean(commit)),
        ]
        figures += endpoints.filter { $0.duration.count > 0 }
            .map { ("\($0.endpoint) mean seconds", Self.mean($0.duration)) }
        figures += [
            ("store bytes free", store.freeBytes.map { "\($0)" } ?? "unknown"),
            ("store reserve", "\(store.reserveBytes)"),
            ("store objects", store.objects.map { "\($0)" } ?? "not measured"),
            ("store bytes", store.bytes.map { "\($0)" } ?? "not measured"),
            ("store measured", store.measured.map(Self.time) ?? "never"),
        ]
        return figures
    }

    private static let columns = [
        "pid", "thread", "state", "state for", "request for", "requests", "method", "path", "namespace", "digest",
        "request id",
    ]

    private static func rows(_ process: Process) -> [String] {
        (process.threads ?? []).enumerated().map { number, thread in
            row([
                "\(process.pid)", "\(number)", thread.state.rawValue, seconds(thread.stateSeconds),
                thread.requestSeconds.map(seconds) ?? "-", "\(thread.requests)", thread.method ?? "-",
                thread.path ?? "-", thread.namespace ?? "-", thread.digest ?? "-", thread.requestID ?? "-",
            ])
        }
    }

    private static func row(_ cells: [String]) -> String {
        zip(cells, [8, 6, 10, 11, 11, 9, 6, 18, 16, 71, 0]).map { cell, width in cell + padding(cell, width) }
            .joined(separator: " ")
    }

    private static func padding(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.utf8.count))
    }

    private static func mean(_ durations: DurationCounts) -> String {
        durations.count == 0 ? "0" : seconds(durations.seconds / Double(durations.count))
    }

    /// Seconds with six digits behind the point.
    private static func seconds(_ seconds: Double) -> String {
        let microseconds = UInt64(max(0, seconds) * 1e6)
        let fraction = "\(microseconds % 1_000_000)"
        return "\(microseconds / 1_000_000)." + String(repeating: "0", count: 6 - fraction.count) + fraction
    }

    private static func time(_ seconds: UInt64) -> String {
        Date(timeIntervalSince1970: Double(seconds)).ISO8601Format()
    }
}
