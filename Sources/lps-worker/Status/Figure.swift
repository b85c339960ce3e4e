/// A figure of the status page, and what it is called in each form of the page.
struct Figure: Sendable {
    enum Value {
        case count(UInt64)
        case number(UInt64)
        /// Since 1970, in seconds.
        case time(UInt64)
        case seconds(Double)
        case text(String)
        case durations(DurationCounts)
    }

    typealias Labels = [(name: String, value: String)]
    /// One of a figure's values, and what tells it from the others: the endpoint, say.
    typealias Sample = (labels: Labels, value: Value)

    /// Its name on the page for people, with `*` for the values of a sample's labels; `nil` where it is not shown.
    let text: String?
    /// Its path in the JSON, `store.free_bytes`; with labels, the last part is the name of a sample's value.
    let json: String?
    let samples: @Sendable (PoolSnapshot) -> [Sample]
    /// What the page for people has when there is no value.
    private(set) var unknown = "unknown"
    private(set) var metric: Metric?

    struct Metric {
        /// Without `lps_`. Figures that follow each other may share one.
        let name: String
        let help: String
        /// Its labels, where they are the same for every sample.
        let labels: Labels
    }

    /// A figure with a value for each endpoint, or endpoint and status.
    init(each text: String?, json: String?, samples: @escaping @Sendable (PoolSnapshot) -> [Sample]) {
        self.text = text
        self.json = json
        self.samples = samples
    }

    /// A figure with one value; `nil` when nobody knows it.
    init(_ text: String?, json: String?, _ value: @escaping @Sendable (PoolSnapshot) -> Value?) {
        self.init(each: text, json: json) { pool in value(pool).map { [([], $0)] } ?? [] }
    }

    /// A figure that is counted in one counter.
    init(_ text: String, json: String, _ counter: PoolCounter) {
        self.init(text, json: json) { .count($0.scoreboard.total(counter.rawValue)) }
    }

    /// The figure, with a metric.
    func metric(_ name: String, _ help: String, _ labels: Labels = []) -> Figure {
        var figure = self
        figure.metric = Metric(name: name, help: help, labels: labels)
        return figure
    }

    /// The figure, with other words for a value that nobody knows.
    func unknown(_ text: String) -> Figure {
        var figure = self
        figure.unknown = text
        return figure
    }
}
