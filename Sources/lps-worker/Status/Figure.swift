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

    /// One of a figure's values, and what tells it from the others: the endpoint, say.
    typealias Sample = (labels: [(name: String, value: String)], value: Value)

    /// Its name on the page for people, with `*` for the values of a sample's labels; `nil` where it is not shown.
    let text: String?
    /// Its path in the JSON, `store.free_bytes`; with labels, the last part is the name of a sample's value.
    let json: String?
    /// The metric's name, without `lps_`. Figures that follow each other may share one.
    let metric: String?
    let help: String
    /// What the page for people has when there is no value.
    let unknown: String
    /// The metric's labels, where they are the same for every sample.
    let labels: [(name: String, value: String)]
    let samples: @Sendable (PoolSnapshot) -> [Sample]

    /// A figure with one value; `nil` when nobody knows it.
    init(
        _ text: String?,
        _ json: String?,
        _ metric: String? = nil,
        _ help: String = "",
        unknown: String = "unknown",
        labels: [(name: String, value: String)] = [],
        _ value: @escaping @Sendable (PoolSnapshot) -> Value?
    ) {
        (self.text, self.json, self.metric, self.help, self.unknown, self.labels) = (
            text, json, metric, help, unknown, labels
        )
        samples = { pool in value(pool).map { [([], $0)] } ?? [] }
    }

    /// A figure with a value for each endpoint, or endpoint and status.
    init(
        each text: String?,
        _ json: String?,
        _ metric: String? = nil,
        _ help: String = "",
        samples: @escaping @Sendable (PoolSnapshot) -> [Sample]
    ) {
        (self.text, self.json, self.metric, self.help, unknown, labels) = (text, json, metric, help, "", [])
        self.samples = samples
    }

    /// A figure that is counted in one counter.
    init(_ counter: PoolCounter, _ text: String, _ json: String, _ metric: String, _ help: String) {
        self.init(text, json, metric, help) { .count($0.scoreboard.total(counter.rawValue)) }
    }
}
