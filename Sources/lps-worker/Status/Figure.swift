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
    /// The metric's name, without `lps_`. Figures that follow each other may share one.
    let metric: String?
    let help: String
    /// What the page for people has when there is no value.
    let unknown: String
    /// The metric's labels, where they are the same for every sample.
    let labels: Labels
    let samples: @Sendable (PoolSnapshot) -> [Sample]

    /// A figure with a value for each endpoint, or endpoint and status.
    ///
    /// - Parameter help: `nil` for no metric.
    init(
        each text: String?,
        json: String? = nil,
        metric: String? = nil,
        _ help: String? = nil,
        unknown: String = "unknown",
        labels: Labels = [],
        samples: @escaping @Sendable (PoolSnapshot) -> [Sample]
    ) {
        self.text = text
        self.json = json
        self.metric = help == nil ? nil : metric ?? text.map(Self.name)
        self.help = help ?? ""
        self.unknown = unknown
        self.labels = labels
        self.samples = samples
    }

    /// A figure with one value; `nil` when nobody knows it.
    ///
    /// `json` and `metric` are `text` with `_` for its spaces, where they are not given.
    init(
        _ text: String?,
        json: String? = nil,
        isInJSON: Bool = true,
        metric: String? = nil,
        _ help: String? = nil,
        unknown: String = "unknown",
        labels: Labels = [],
        _ value: @escaping @Sendable (PoolSnapshot) -> Value?
    ) {
        let json = isInJSON ? json ?? text.map(Self.name) : nil
        self.init(each: text, json: json, metric: metric, help, unknown: unknown, labels: labels) { pool in
            value(pool).map { [([], $0)] } ?? []
        }
    }

    /// A figure that is counted in one counter.
    init(_ counter: PoolCounter, _ text: String, json: String? = nil, metric: String? = nil, _ help: String) {
        self.init(text, json: json, metric: metric, help) { .count($0.scoreboard.total(counter.rawValue)) }
    }

    private static func name(_ text: String) -> String { text.replacing(" ", with: "_") }
}
