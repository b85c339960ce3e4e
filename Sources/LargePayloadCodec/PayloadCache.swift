import FoundationEssentials
import PayloadKey
import Synchronization

/// Decoded payloads in memory, by key, up to a number of bytes; those that were not used for longest go first.
final class PayloadCache: Sendable {
    private struct Entry {
        let data: Data
        let digest: Digest
        /// The tick of its last use.
        var lastUse: UInt64
    }

    private struct State {
        var entries: [[UInt8]: Entry] = [:]
        /// Bytes of all entries' data.
        var size = 0
        /// Counts uses.
        var tick: UInt64 = 0
    }

    private let capacity: Int
    private let state = Mutex(State())

    /// - Parameter capacity: bytes of data.
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
        guard data.count <= capacity else { return }
        state.withLock { state in
            state.tick += 1
            let entry = Entry(data: data, digest: reference.digest, lastUse: state.tick)
            if let replaced = state.entries.updateValue(entry, forKey: reference.key) {
                state.size -= replaced.data.count
            }
            state.size += data.count
            while state.size > capacity, let oldest = state.entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
                state.entries[oldest.key] = nil
                state.size -= oldest.value.data.count
            }
        }
    }
}
