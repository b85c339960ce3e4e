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
        firstRequest + number(endpoint) * 32 + number(status)
    }

    /// The number of a status with its own counter: 1 to 31. 0 counts all others.
    private static func number(_ status: Int) -> Int {
        switch status {
        case 200: 1
        case 201: 2
        case 206: 3
        case 304: 4
        case 400: 5
        case 403: 6
        case 404: 7
        case 405: 8
        case 411: 9
        case 412: 10
        case 413: 11
        case 416: 12
        case 500: 13
        case 503: 14
        case 507: 15
        case 415: 16
        default: 0
        }
    }

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
        if value > 0 { add(value, to: counter.rawValue) }
    }

    /// Adds a duration in nanoseconds.
    func add(_ duration: UInt64, to histogram: Histogram) {
        add(to: histogram.bucket(duration))
        add(duration, to: histogram.sum)
    }

    /// Counts an answered request.
    func count(_ trace: RequestTrace, status: Int) {
        add(to: PoolCounter.requests(trace.endpoint, status))
        add(trace.nanoseconds, to: PoolCounter.whole(trace.endpoint))
        add(trace.bytesIn, to: .bytesIn)
        add(trace.bytesOut, to: .bytesOut)
        add(UInt64(trace.stored), to: .stored)
        add(UInt64(trace.deduplicated), to: .deduplicated)
        add(UInt64(trace.mismatches), to: .mismatches)
    }
}
