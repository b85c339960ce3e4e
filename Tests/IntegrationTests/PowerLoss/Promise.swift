import Foundation
import PayloadKey
import PayloadStore
import TestSupport

/// What someone was told, and what is to be so from then on, whatever happens to the power.
enum Promise {
    /// A payload is stored.
    ///
    /// - Parameter isYoung: its age counts from now, so that retention does not take it.
    case stored(PayloadKey, [UInt8], isYoung: Bool)
    /// Damaged content was taken away.
    case takenAway(Digest)

    /// A payload of a namespace, without metadata.
    static func stored(_ content: [UInt8], _ namespace: String, isYoung: Bool = true) throws -> Promise {
        let key = try LocalStore.key(content, namespace)
        return .stored(key, content, isYoung: isYoung)
    }
}

extension CrashState {
    /// Opens it as a start does: what of the promises is broken, what wrong can be read, and what keeps it from being used.
    ///
    /// - Parameter promises: all that were made at some time; to those that were not by then it is to be able to hold
    ///   when it is asked again.
    func violations(of promises: [Promise]) throws -> [String] {
        // In memory, where a sync costs nothing.
        let root = "/dev/shm/lps-test-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: root) }
        let now = time(nil)
        try make(at: root, old: now - 10 * 86_400)
        let made = self.promises.map { promises[$0] }
        do {
            let local = try LocalStore(at: root)
            try local.store.sweepIncoming()
            var wrong = try made.flatMap { try Self.violations(of: $0, local, since: now - 86_400) }
            // What was damaged when it began may be so until it is said to be taken away.
            let damaged = promises.compactMap { if case .takenAway(let digest) = $0 { digest } else { nil } }
            let takenAway = made.compactMap { if case .takenAway(let digest) = $0 { digest } else { nil } }
            let allowed = Set(damaged).subtracting(takenAway)
            _ = try local.store.scrub { finding in
                if finding.damage.map({ allowed.contains($0.digest) }) != true {
                    wrong.append("a scrub finds \(finding)")
                }
            }
            for case .stored(let key, let content, _) in promises {
                try local.put(content, key)
                if try local.get(key) != content { wrong.append("\(key) is not whole when it is stored then") }
            }
            return wrong
        } catch {
            return ["\(error)"]
        }
    }

    private static func violations(of promise: Promise, _ local: LocalStore, since: Int) throws -> [String] {
        guard case .stored(let key, let content, let isYoung) = promise else { return [] }
        guard try local.get(key) == content else { return ["\(key) is not whole"] }
        let lastStored = try local.store.find(key)?.lastStored ?? 0
        return isYoung && lastStored < since ? ["\(key) may be collected"] : []
    }
}
