extension PoolSnapshot {
    static let openMetricsType = "application/openmetrics-text; version=1.0.0; charset=utf-8"

    /// The figures for Prometheus, in the OpenMetrics text format 1.0.0.
    var openMetrics: String {
        var text = ""
        var family = ""
        for figure in Figure.all {
            let samples = figure.samples(self)
            guard let metric = figure.metric, let first = samples.first else { continue }
            let name = "lps_" + metric.name
            if name != family {
                text += "# TYPE \(name) \(first.value.metricType)\n"
                for unit in ["seconds", "bytes"] where name.hasSuffix("_" + unit) {
                    text += "# UNIT \(name) \(unit)\n"
                }
                text += "# HELP \(name) \(metric.help)\n"
            }
            family = name
            for (labels, value) in samples {
                for (suffix, more, number) in value.metricSamples {
                    // Label values contain no `"`, no `\` and no line break, so they need no escapes.
                    let all = (metric.labels + labels + more).map { "\($0.name)=\"\($0.value)\"" }
                    let list = all.isEmpty ? "" : "{\(all.joined(separator: ","))}"
                    text += "\(name)\(suffix)\(list) \(number)\n"
                }
            }
        }
        return text + "# EOF\n"
    }
}

extension Figure.Value {
    fileprivate var metricType: String {
        switch self {
        case .count: "counter"
        case .number, .time, .seconds: "gauge"
        case .text: "info"
        case .durations: "histogram"
        }
    }

    fileprivate var metricSamples: [(suffix: String, labels: Figure.Labels, value: String)] {
        switch self {
        case .count(let number): [("_total", [], "\(number)")]
        case .number(let number), .time(let number): [("", [], "\(number)")]
        case .seconds(let seconds): [("", [], "\(seconds)")]
        case .text(let text): [("_info", [("version", text)], "1")]
        case .durations(let durations):
            zip(Histogram.boundNames, durations.cumulative).map { ("_bucket", [("le", $0)], "\($1)") }
                + [("_count", [], "\(durations.count)"), ("_sum", [], "\(durations.seconds)")]
        }
    }
}
