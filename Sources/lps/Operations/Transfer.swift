import PayloadKey
import Storage
import Synchronization
import System

/// Copies payloads from one store to another.
final class Transfer: Sendable {
    /// The result of a copy, as in JSON.
    struct Transferred: Encodable, Equatable {
        /// Payloads that were missing and are stored now.
        var copied = 0
        /// Their bytes.
        var bytes: UInt64 = 0
        /// Payloads that the destination already had.
        var present = 0
        /// Payloads that could not be copied.
        var failed = 0
    }

    /// The maximum number of keys in memory.
    private static let batch = 1024

    private let source: any PayloadStorage
    private let destination: any PayloadStorage
    private let state: Mutex<State>

    private struct State {
        var result = Transferred()
        let progress: Progress?
        let complain: @Sendable (String) -> Void
    }

    init(
        from source: any PayloadStorage,
        to destination: any PayloadStorage,
        progress: sending Progress?,
        complain: @escaping @Sendable (String) -> Void
    ) {
        self.source = source
        self.destination = destination
        state = Mutex(State(progress: progress, complain: complain))
    }

    var result: Transferred { state.withLock { $0.result } }

    /// Copies a selection, with up to `threads` payloads at once.
    ///
    /// - Throws: The error that keeps all payloads from being copied.
    func run(_ selection: KeySelection, threads: Int) throws {
        defer { state.withLock { $0.progress?.wipe() } }
        try countForProgress(selection)
        var keys: [StoredKey] = []
        func copyThem() throws {
            try sideBySide(keys, threads: threads) { try self.copy($0) }
            keys.removeAll(keepingCapacity: true)
        }
        try source.forEachKey(in: selection, unreadable: { self.fail("\($0) is not copied: \($1)") }) { stored in
            keys.append(stored)
            if keys.count == Self.batch { try copyThem() }
        }
        try copyThem()
    }

    private func countForProgress(_ selection: KeySelection) throws {
        guard state.withLock({ $0.progress != nil }) else { return }
        state.withLock { $0.progress?.begin("counting payloads") }
        var bytes: UInt64 = 0
        try source.forEachKey(in: selection, unreadable: { _, _ in }) { bytes += $0.size ?? 0 }
        state.withLock { [bytes] in $0.progress?.begin(.bytes, total: bytes) }
    }

    private func copy(_ stored: StoredKey) throws {
        do {
            guard let size = stored.size else { return fail("\(stored.key) is not copied: its content is lost") }
            guard try destination.find(stored.key)?.size != size else {
                return finish(stored) { $0.present += 1 }
            }
            guard let payload = try source.open(stored.key) else {
                // The key was deleted since it was listed.
                return finish(stored) { _ in }
            }
            try destination.uploads.checkSpace(for: payload.size)
            let upload = try destination.uploads.receive(length: payload.size, digest: stored.key.digest) { take in
                try payload.read(0..<payload.size, take)
            }
            try destination.commit(upload, as: stored.key)
            finish(stored) {
                $0.copied += 1
                $0.bytes += payload.size
            }
        } catch {
            if let error = error as? StoreError, error.concernsWholeStore {
                // If both stores are healthy, the engine refused only this object.
                guard error.code == .unavailable else { throw error }
                try source.checkHealth()
                try destination.checkHealth()
            }
            fail("\(stored.key) is not copied: \(error)")
        }
    }

    private func fail(_ message: String) {
        state.withLock { state in
            state.progress?.wipe()
            state.complain(message)
            state.result.failed += 1
        }
    }

    private func finish(_ stored: StoredKey, _ count: (inout Transferred) -> Void) {
        state.withLock { state in
            count(&state.result)
            state.progress?.advance(by: Int(stored.size ?? 0))
        }
    }
}
