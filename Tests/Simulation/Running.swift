import DiskStore
import PayloadKey
import Storage

/// An operation that runs or has ended.
final class Running {
    enum Answer {
        case done
        case stored(CommitOutcome)
        case content([UInt8]?)
        case deleted(Bool)
        /// The outcome by hour of the trash.
        case restored([Int: Result<UndeleteOutcome, any Error>])
        case findings([Finding])
        case usage(UInt64)
        case exported([PayloadKey: [UInt8]?])
    }

    let operation: Operation
    let number: Int
    let started: Int64
    /// The clock at the beginning, in seconds since 1970.
    let clock: Int
    var overlaps: [Running] = []
    var outcome: Result<Answer, any Error>?
    var isKilled = false
    var random: SplitMix64
    /// The keys that a garbage collection may delete.
    var candidates: [Int] = []
    /// The recorded times that a garbage collection may compare the clock with.
    var recorded = 0...0

    /// The model at the beginning.
    var keysBefore: [KeyState] = []
    private let clockChanges: Int
    let machine: Machine

    init(_ operation: Operation, _ number: Int, _ machine: Machine, _ random: SplitMix64) {
        self.operation = operation
        self.number = number
        self.machine = machine
        self.random = random
        started = machine.scheduler.time
        clock = Int(machine.wallClock / 1_000_000)
        clockChanges = machine.clockChanges
    }

    var now: Int64 { machine.scheduler.time }
    var clockNow: Int { Int(machine.wallClock / 1_000_000) }
    var hasClockChanged: Bool { machine.clockChanges != clockChanges }

    /// Whether the process opened the store in this operation, and so has no older time to compare the clock with.
    var hasOpenedStore = false

    /// Whether the store certainly recorded the operation's start time or a later one.
    var isCertainToRecord: Bool {
        guard case .start = operation, hasOpenedStore, case .success = outcome, !isKilled else { return false }
        return !hasClockChanged
    }

    /// The hour of the trash for a key deleted by this operation, by the clock at the beginning.
    var trashHour: Int { (clock / 3600 + 1) * 3600 }

    func perform(on store: DiskStore) throws -> Answer {
        let universe = Simulation.universe
        switch operation {
        case .put(let key):
            let key = universe.keys[key]
            guard let index = universe.content(of: key.digest) else { return .done }
            let content = universe.contents[index]
            let upload = try store.uploads.receive(length: UInt64(content.count), digest: key.digest) { take in
                try content.withUnsafeBytes { try take($0) }
            }
            return .stored(try store.commit(upload, as: key))
        case .get(let key):
            return .content(try read(universe.keys[key], store))
        case .remove(let key): return .deleted(try store.remove(universe.keys[key]) != nil)
        case .moveToTrash(let key): return .deleted(try store.moveToTrash(universe.keys[key], now: clock))
        case .undelete(let key):
            var outcomes: [Int: Result<UndeleteOutcome, any Error>] = [:]
            for trashed in try store.trashed(universe.keys[key]) {
                outcomes[trashed.deleted] = Result { try store.undelete(trashed) }
            }
            return .restored(outcomes)
        case .collect(let selection, let age, let keepTrash, let memory):
            try collect(store, selection, age, keepTrash, memory)
            return .done
        case .sweep(let memory):
            var collector = try store.collector()
            collector.digestsInMemory = memory
            try collector.sweep()
            return .done
        case .scrub:
            var findings: [Finding] = []
            _ = try store.scrub { findings.append($0) }
            return .findings(findings)
        case .repair:
            var findings: [Finding] = []
            try store.inspect(repair: true) { findings.append($0) }
            _ = try store.scrub { findings.append($0) }
            return .findings(findings)
        case .export:
            var found: [PayloadKey: [UInt8]?] = [:]
            try store.forEachContent(keysInMemory: random.pick([1, 1000])) { content in
                for name in content.keys where found[name.key] == nil {
                    found.updateValue(try read(name.key, store), forKey: name.key)
                }
            }
            return .exported(found)
        case .recount(let namespace):
            _ = try store.recount(universe.namespaces[namespace])
            return .done
        case .checkUsage(let namespace): return .usage(try store.usage(of: universe.namespaces[namespace]))
        case .start:
            try store.checkFileSystem()
            try store.keepCounts(hasQuotas: true)
            try store.recordTime()
            try store.reportStrayFiles()
            try store.removeLeftovers()
            try store.checkHealth()
            return .done
        default: return .done
        }
    }

    private func read(_ key: PayloadKey, _ store: DiskStore) throws -> [UInt8]? {
        guard let payload = try store.open(key) else { return nil }
        var bytes: [UInt8] = []
        try payload.read(0..<payload.size) { bytes += Array($0) }
        return bytes
    }

    /// Collects garbage as `lps gc` does.
    private func collect(
        _ store: DiskStore,
        _ selection: KeySelection,
        _ age: Int,
        _ keepTrash: Int?,
        _ memory: Int
    ) throws {
        try store.checkClock()
        var collector = try store.collector()
        collector.digestsInMemory = memory
        if let keepTrash {
            try store.forEachTrashedKey(in: selection) { trashed in
                if trashed.deleted + keepTrash <= clock { try store.purge(trashed) }
            }
            try store.removeEmptyTrash { $0 <= clock && $0 + keepTrash <= clock }
        }
        let newest = clock - age
        for namespace in try store.namespaces(in: selection) {
            try store.forEachAge(in: KeySelection(namespace: namespace, prefix: selection.prefix)) { key, lastStored in
                guard lastStored < newest else { return }
                if let keepTrash, keepTrash > 0 {
                    try store.moveToTrash(key, now: clock, isDurable: false, if: { $0 < newest })
                } else {
                    try store.remove(key, isDurable: false, if: { $0 < newest })
                }
            }
        }
        try collector.sweep()
        try store.removeEmptyFolders()
        try store.removeUnusedCounters()
    }
}
