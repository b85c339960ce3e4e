#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
import PayloadKey
import Synchronization

/// An in-memory cache of payloads, by key. Evicts the least recently used payloads first.
final class PayloadCache: Sendable {
    /// The bytes that an entry is assumed to take in addition to its key and data.
    static let overhead = 256

    private struct Entry {
        let data: Data
        let digest: Digest
        /// The value of `State.tick` at its last use.
        var lastUse: UInt64
    }

    private struct State {
        var entries: [[UInt8]: Entry] = [:]
        /// The sum of the costs of all entries, in bytes.
        var size = 0
        /// The number of uses so far. It orders entries by their last use.
        var tick: UInt64 = 0
    }

    private let capacity: Int
    private let state = Mutex(State())

    /// - Parameter capacity: The maximum number of bytes for data, keys and the overhead of all entries.
    init(capacity: Int) {
        self.capacity = capacity
    }

    /// Returns the data of the payload that `reference` names.
    ///
    /// - Returns: `nil` if the key is not cached, or is cached with another size or digest than the reference has.
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

    /// Caches data that the caller has verified against `reference`, unless it exceeds the capacity.
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

    /// Evicts entries until a quarter of the capacity is free, so that sorting them is rare.
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
