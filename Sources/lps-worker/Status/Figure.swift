/// A figure of the status page, and its name in each form of the page.
struct Figure: Sendable {
    enum Value {
        case count(UInt64)
        case number(UInt64)
        /// Seconds since 1970.
        case time(UInt64)
        case seconds(Double)
        case text(String)
        case durations(DurationCounts)
    }

    typealias Labels = [(name: String, value: String)]
    /// One of a figure's values, and the labels that distinguish it from the others, such as the endpoint.
    typealias Sample = (labels: Labels, value: Value)

    /// The name on the text page, with `*` for the values of a sample's labels; `nil` if the page omits the figure.
    let text: String?
    /// The path in the JSON, such as `store.free_bytes`; with labels, the last part names a sample's value.
    let json: String?
    let samples: @Sendable (PoolSnapshot) -> [Sample]
    /// The text page's words for a missing value.
    private(set) var unknown = "unknown"
    private(set) var metric: Metric?

    struct Metric {
        /// The name without `lps_`. Consecutive figures may share one.
        let name: String
        let help: String
        /// Labels that all samples have.
        let labels: Labels
    }

    /// Makes a figure with a value per endpoint, or per endpoint and status.
    init(each text: String?, json: String?, samples: @escaping @Sendable (PoolSnapshot) -> [Sample]) {
        self.text = text
        self.json = json
        self.samples = samples
    }

    /// Makes a figure with one value; `nil` if it is unknown.
    init(_ text: String?, json: String?, _ value: @escaping @Sendable (PoolSnapshot) -> Value?) {
        self.init(each: text, json: json) { pool in value(pool).map { [([], $0)] } ?? [] }
    }

    /// Makes a figure that shows one counter.
    init(_ text: String, json: String, _ counter: PoolCounter) {
        self.init(text, json: json) { .count($0.scoreboard.total(counter.rawValue)) }
    }

    /// Returns the figure with a metric.
    func metric(_ name: String, _ help: String, _ labels: Labels = []) -> Figure {
        var figure = self
        figure.metric = Metric(name: name, help: help, labels: labels)
        return figure
    }

    /// Returns the figure with other words for a missing value.
    func unknown(_ text: String) -> Figure {
        var figure = self
        figure.unknown = text
        return figure
    }
}
