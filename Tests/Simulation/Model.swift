import PayloadKey
import Storage

/// Whether something is there, as far as the operations and their answers tell.
enum Presence {
    case absent
    case present
    /// An operation that may change it is under way, or did not come to its end.
    case maybe
}

/// What a key must be.
struct KeyState {
    var presence = Presence.absent
    /// The time that the key's age counts from at least, in seconds since 1970, while it is present.
    var storedAt = Int.min
    /// The latest time at which anything may have stored it.
    var touchedAt = Int.min
    /// The hours in whose part of the trash it is.
    var trash: [Int: Presence] = [:]
}

/// What the store must be after the operations so far.
struct Model {
    var keys: [KeyState]
    /// Contents that the simulation has damaged, and that were not stored again since: when, in simulated microseconds.
    var damagedAt: [Int64?]
    /// When the simulation last damaged anything.
    var lastDamage: Int64 = -1
    /// When each content was last stored over damage.
    var repairedAt: [Int64]
    /// Whether sizes of a namespace may have changed without the store's knowledge.
    var isUsageUnknown: [Bool]
    /// The times between which the newest recorded time is, in seconds since 1970.
    private(set) var recorded: ClosedRange<Int>
    /// What was recorded for certain, and when, in simulated microseconds.
    private var records: [(at: Int64, time: Int)] = []

    init(_ universe: Universe, now: Int) {
        keys = Array(repeating: KeyState(), count: universe.keys.count)
        damagedAt = Array(repeating: nil, count: universe.contents.count)
        repairedAt = Array(repeating: -1, count: universe.contents.count)
        isUsageUnknown = Array(repeating: false, count: universe.namespaces.count)
        recorded = now...now
    }

    /// Takes note that processes which record the time ran then.
    mutating func record(from start: Int, to end: Int, isCertain: Bool, at now: Int64) {
        if isCertain { records.append((now, start)) }
        recorded = (isCertain ? max(recorded.lowerBound, start) : recorded.lowerBound)...max(recorded.upperBound, end)
    }

    /// What every process knows at a moment: it believes what it has read of the record for ten minutes.
    func knownRecord(at now: Int64) -> Int {
        records.lazy.filter { $0.at + 601_000_000 <= now }.map(\.time).max() ?? Int.min
    }
}
