import FoundationEssentials
import PayloadKey
import Synchronization

/// Decoded payloads in memory, by key, up to a number of bytes; those that were not used for longest go first.
final class PayloadCache: Sendable {
    /// Bytes that an entry is counted with beside its key and data.
    static let overhead = 256

    private struct Entry {
        let data: Data
        let digest: Digest
        /// The tick of its last use.
        var lastUse: UInt64
    }

    private struct State {
        var entries: [[UInt8]: Entry] = [:]
        /// Bytes that all entries are counted with.
        var size = 0
        /// Counts uses.
        var tick: UInt64 = 0
    }

    private let capacity: Int
    private let state = Mutex(State())

    /// - Parameter capacity: bytes of data, keys and what keeps them.
    init(capacity: Int) {
        self.capacity = capacity
    }

    /// The payload that a reference stands for; `nil` when it is not here, or is another one than the reference says.
    func data(of reference: PayloadReference) -> Data? {
        state.withLock { state in
            guard var entry = state.entries[reference.key], entry.digest == reference.digest,
                UInt64(entry.data.count) == reference.size
            else { return nil }
            state.tick += 1
            entry.lastUse = state.tick
            state.entries[reference.key] = entry
            return entry.data
        }
    }

    /// Keeps a payload that was found to be what the reference says, when it fits at all.
    func insert(_ data: Data, of reference: PayloadReference) {
        guard Self.cost(reference.key, data) <= capacity else { return }
        state.withLock { state in
            state.tick += 1
            let entry = Entry(data: data, digest: reference.digest, lastUse: state.tick)
            let replaced = state.entries.updateValue(entry, forKey: reference.key)
            state.size += Self.cost(reference.key, data) - (replaced.map { Self.cost(reference.key, $0.data) } ?? 0)
            if state.size > capacity { shrink(&state, keeping: reference.key) }
        }
    }

    /// Makes room for more than one entry at a time, so that finding the oldest costs little for each.
    private func shrink(_ state: inout State, keeping newest: [UInt8]) {
        for (key, entry) in state.entries.sorted(by: { $0.value.lastUse < $1.value.lastUse }) where key != newest {
            if state.size <= capacity / 4 * 3 { return }
            state.entries[key] = nil
            state.size -= Self.cost(key, entry.data)
        }
    }

    private static func cost(_ key: [UInt8], _ data: Data) -> Int {
        data.count + key.count + overhead
    }
}
