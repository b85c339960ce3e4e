import PayloadService
import Scoreboard

/// The scoreboard's counters.
///
/// All processes of a pool must agree on the numbers, including old and new ones during an upgrade: existing counters
/// keep their numbers, and a new counter gets the next one.
enum PoolCounter: Int, CaseIterable {
    case bytesIn, bytesOut, stored, deduplicated, mismatches, slow, timeouts, retirements

    static let firstRequest = 100
    static let hash = Histogram(first: 400)
    static let commit = Histogram(first: 450)

    static func requests(_ endpoint: RequestTrace.Endpoint, _ status: Int) -> Int {
        firstRequest + number(endpoint) * 32 + (statuses[status] ?? 0)
    }

    /// The statuses with their own counter, by number: 1 to 31. 0 counts all others.
    private static let statuses = [
        200: 1, 201: 2, 206: 3, 304: 4, 400: 5, 403: 6, 404: 7, 405: 8, 411: 9, 412: 10, 413: 11, 416: 12, 500: 13,
        503: 14, 507: 15,
    ]

    static func whole(_ endpoint: RequestTrace.Endpoint) -> Histogram {
        Histogram(first: 500 + number(endpoint) * 50)
    }

    private static func number(_ endpoint: RequestTrace.Endpoint) -> Int {
        switch endpoint {
        case .unknown: 0
        case .ping: 1
        case .health: 2
        case .put: 3
        case .get: 4
        case .encode: 5
        case .decode: 6
        case .download: 7
        }
    }
}

/// Values that a pool's processes share.
enum PoolValue: Int {
    /// The number of objects, their bytes on disk, and the time of the measure in seconds since 1970.
    case storeObjects, storeBytes, storeMeasured
    /// The hash of the measured store's name, see ``Measure``.
    case storeMeasuredName
}

extension Scoreboard {
    func add(_ value: UInt64 = 1, to counter: PoolCounter) {
        add(value, to: counter.rawValue)
    }

    func add(_ duration: Duration, to histogram: Histogram) {
        for (counter, value) in histogram.counts(duration) { add(value, to: counter) }
    }

    /// Counts an answered request.
    func count(_ trace: RequestTrace, status: Int) {
        add(to: PoolCounter.requests(trace.endpoint, status))
        add(trace.age, to: PoolCounter.whole(trace.endpoint))
        for (counter, value) in [
            (PoolCounter.bytesIn, trace.bytesIn), (.bytesOut, trace.bytesOut), (.stored, UInt64(trace.stored)),
            (.deduplicated, UInt64(trace.deduplicated)), (.mismatches, UInt64(trace.mismatches)),
        ] where value > 0 {
            add(value, to: counter)
        }
    }
}
