import PayloadKey
import Storage

/// Whether something exists, according to the operations and their answers.
enum Presence {
    case absent
    case present
    /// An operation that may change it is running or was interrupted.
    case maybe
}

/// The expected state of a key.
struct KeyState {
    var presence = Presence.absent
    /// The earliest time that the age of a present key may count from, in seconds since 1970.
    var storedAt = Int.min
    /// The latest time at which anything may have stored it.
    var touchedAt = Int.min
    /// The hours of the trash that contain the key.
    var trash: [Int: Presence] = [:]
}

/// The expected state of the store after the operations so far.
struct Model {
    var keys: [KeyState]
    /// When content was damaged that was not stored again since, in simulated microseconds.
    var damagedAt: [Int64?]
    /// When the simulation last damaged anything.
    var lastDamage: Int64 = -1
    /// When each content was last stored over damage.
    var repairedAt: [Int64]
    /// Whether the sizes of a namespace's payloads may have changed without the store's knowledge.
    var isUsageUnknown: [Bool]
    /// The range that contains the latest recorded time, in seconds since 1970.
    private(set) var recorded: ClosedRange<Int>
    /// Times that were certainly recorded, and when (in simulated microseconds).
    private var records: [(at: Int64, time: Int)] = []

    init(_ universe: Universe, now: Int) {
        keys = Array(repeating: KeyState(), count: universe.keys.count)
        damagedAt = Array(repeating: nil, count: universe.contents.count)
        repairedAt = Array(repeating: -1, count: universe.contents.count)
        isUsageUnknown = Array(repeating: false, count: universe.namespaces.count)
        recorded = now...now
    }

    /// Notes that processes which record the time ran between `start` and `end`.
    mutating func record(from start: Int, to end: Int, isCertain: Bool, at now: Int64) {
        if isCertain { records.append((now, start)) }
        recorded = (isCertain ? max(recorded.lowerBound, start) : recorded.lowerBound)...max(recorded.upperBound, end)
    }

    /// The recorded time that every process knows at `now`: a process caches the record for ten minutes.
    func knownRecord(at now: Int64) -> Int {
        records.lazy.filter { $0.at + 601_000_000 <= now }.map(\.time).max() ?? Int.min
    }
}
