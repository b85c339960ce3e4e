import Foundation
import Synchronization

/// How the payloads of a namespace are deleted.
enum Retention: String, CaseIterable, Sendable {
    /// Never.
    case kept
    /// At once, by `lps gc`.
    case deleted
    /// Into the trash, by `lps gc --keep-trash`, and repeatedly purged.
    case trashed
    /// Into the trash, from which all are restored at the end.
    case undeleted

    static var random: Retention { allCases.randomElement() ?? .kept }

    var namespace: String { rawValue }

    /// Whether all acknowledged payloads exist at the end.
    var isForever: Bool { self == .kept || self == .undeleted }

    /// The age at which a payload expires, in seconds.
    static let age = 10.0
    /// How many seconds a payload certainly exists after its last byte was sent. Garbage collection compares whole
    /// seconds, and the kernel's clock for files can be some milliseconds behind.
    static let certain = age - 1.1
}

/// The acknowledged uploads, and thus the payloads that must exist.
final class Ledger: Sendable {
    struct Entry: Sendable {
        let payload: SoakPayload
        let retention: Retention
        /// The time until which a download must succeed, in seconds since 1970.
        let certainUntil: Double
    }

    private struct Namespace {
        /// By seed, the time at which the latest upload's last byte was sent.
        var sent: [UInt64: Double] = [:]
        /// In the order of their first upload.
        var seeds: [UInt64] = []
        var bytes = 0
    }

    private let namespaces = Mutex<[Retention: Namespace]>([:])
    private let codec = Mutex<[UInt64: String]>([:])
    private let lastSeed = Mutex<UInt64>(0)

    func newPayload() -> SoakPayload {
        lastSeed.withLock {
            $0 += 1
            return SoakPayload(seed: $0)
        }
    }

    func add(_ payload: SoakPayload, _ retention: Retention, sent time: Double) {
        namespaces.withLock { namespaces in
            var namespace = namespaces[retention] ?? Namespace()
            defer { namespaces[retention] = namespace }
            let known = namespace.sent[payload.seed]
            // Uploads of one payload may overtake each other.
            namespace.sent[payload.seed] = max(time, known ?? 0)
            guard known == nil else { return }
            namespace.seeds.append(payload.seed)
            namespace.bytes += payload.size
            guard !retention.isForever, namespace.seeds.count > 400 else { return }
            // Expired payloads are forgotten.
            let gone = namespace.sent.filter { $0.value < time - 2 * Retention.age }
            for seed in gone.keys { namespace.sent[seed] = nil }
            namespace.seeds.removeAll { gone[$0] != nil }
        }
    }

    func addCodec(_ seed: UInt64, digest: String) { codec.withLock { $0[seed] = digest } }

    /// An acknowledged payload, mostly a recent one; `nil` if there is none.
    func any(_ retention: Retention) -> Entry? {
        let seeds = namespaces.withLock { $0[retention]?.seeds ?? [] }
        let seed = (Bool.random() ? seeds.suffix(30) : seeds[...]).randomElement()
        return seed.map { entry(of: SoakPayload(seed: $0), retention) }
    }

    func entry(of payload: SoakPayload, _ retention: Retention) -> Entry {
        let sent = namespaces.withLock { $0[retention]?.sent[payload.seed] ?? 0 }
        let certain = retention == .kept ? .infinity : sent + Retention.certain
        return Entry(payload: payload, retention: retention, certainUntil: certain)
    }

    func bytes(_ retention: Retention) -> Int { namespaces.withLock { $0[retention]?.bytes ?? 0 } }

    /// All payloads that must exist at the end.
    var forever: [Entry] {
        Retention.allCases.filter(\.isForever).flatMap { retention in
            let seeds = namespaces.withLock { $0[retention]?.seeds ?? [] }
            return seeds.map {
                Entry(payload: SoakPayload(seed: $0), retention: retention, certainUntil: .infinity)
            }
        }
    }

    /// The digests of the codec server's payloads.
    var codecDigests: [String] { codec.withLock { Array($0.values) } }
}
