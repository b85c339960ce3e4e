extension PoolSnapshot {
    static let openMetricsType = "application/openmetrics-text; version=1.0.0; charset=utf-8"

    /// For Prometheus, in the OpenMetrics text format 1.0.0.
    var openMetrics: String {
        var text = ""
        var family = ""
        for figure in Figure.all {
            guard let metric = figure.metric.map({ "lps_" + $0 }) else { continue }
            let samples = figure.samples(self)
            guard let first = samples.first else { continue }
            if metric != family {
                text += "# TYPE \(metric) \(first.value.metricType)\n"
                for unit in ["seconds", "bytes"] where metric.hasSuffix("_" + unit) {
                    text += "# UNIT \(metric) \(unit)\n"
                }
                text += "# HELP \(metric) \(figure.help)\n"
            }
            family = metric
            for (labels, value) in samples {
                for (suffix, more, number) in value.metricSamples {
                    // Values of labels have none of `"`, `\` and line breaks.
                    let list = (figure.labels + labels + more).map { "\($0.name)=\"\($0.value)\"" }.joined(
                        separator: ","
                    )
                    text += "\(metric)\(suffix)\(list.isEmpty ? "" : "{\(list)}") \(number)\n"
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

    fileprivate typealias MetricSample = (suffix: String, labels: [(name: String, value: String)], value: String)

    fileprivate var metricSamples: [MetricSample] {
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
