import Foundation

/// How a namespace's payloads go.
enum Retention: String, CaseIterable, Sendable {
    /// Never.
    case kept
    /// At once, by `lps gc`.
    case deleted
    /// Into the trash, by `lps gc --keep-trash`, which is emptied again and again.
    case trashed
    /// Into the trash, from which all are given back at the end.
    case undeleted

    var namespace: String { rawValue }

    /// What is there at the end, of all that was answered.
    var isForever: Bool { self == .kept || self == .undeleted }

    /// How old a payload is when it goes, in seconds.
    static let age = 10.0
    /// How long a payload is certain to be there after its last byte was sent: the collection compares whole seconds,
    /// and the kernel's clock for files may be some milliseconds late.
    static let certain = age - 1.1
}

/// What was answered, and what must therefore be there.
final class Ledger: @unchecked Sendable {
    struct Entry: Sendable {
        let payload: SoakPayload
        let retention: Retention
        /// Until when it must be read whole, in seconds since 1970.
        let certainUntil: Double
    }

    // Guarded by the lock: by seed, when its last byte was sent the last time.
    private var sent: [Retention: [UInt64: Double]] = [:]
    private var seeds: [Retention: [UInt64]] = [:]
    private var bytes: [Retention: Int] = [:]
    private var codec: [UInt64: String] = [:]
    private var lastSeed: UInt64 = 0
    private let lock = NSLock()

    func newPayload() -> SoakPayload {
        lock.withLock {
            lastSeed += 1
            return SoakPayload(seed: lastSeed)
        }
    }

    /// An upload was answered.
    func add(_ payload: SoakPayload, _ retention: Retention, sent time: Double) {
        lock.withLock {
            let known = sent[retention, default: [:]].updateValue(time, forKey: payload.seed)
            // Uploads of one payload may overtake each other.
            if let known, known > time { sent[retention]?[payload.seed] = known }
            guard known == nil else { return }
            seeds[retention, default: []].append(payload.seed)
            bytes[retention, default: 0] += payload.size
            guard !retention.isForever, let count = seeds[retention]?.count, count > 400 else { return }
            // Those that are gone by now are not remembered.
            let old =
                seeds[retention]?.prefix(200).filter { (sent[retention]?[$0] ?? 0) < time - 2 * Retention.age } ?? []
            for seed in old { sent[retention]?[seed] = nil }
            seeds[retention]?.removeAll { sent[retention]?[$0] == nil }
        }
    }

    func addCodec(_ seed: UInt64, digest: String) { lock.withLock { codec[seed] = digest } }

    /// One that was answered, most often one of the last; `nil` when there is none.
    func any(_ retention: Retention) -> Entry? {
        lock.withLock {
            guard let seeds = seeds[retention], !seeds.isEmpty else { return nil }
            let seed = (Bool.random() ? seeds.suffix(30) : seeds[...]).randomElement() ?? 0
            return entry(seed, retention)
        }
    }

    func entry(of payload: SoakPayload, _ retention: Retention) -> Entry {
        lock.withLock { entry(payload.seed, retention) }
    }

    private func entry(_ seed: UInt64, _ retention: Retention) -> Entry {
        let certain = retention == .kept ? .infinity : (sent[retention]?[seed] ?? 0) + Retention.certain
        return Entry(payload: SoakPayload(seed: seed), retention: retention, certainUntil: certain)
    }

    func bytes(_ retention: Retention) -> Int { lock.withLock { bytes[retention] ?? 0 } }

    /// All that must be there at the end.
    var forever: [(SoakPayload, Retention)] {
        lock.withLock {
            Retention.allCases.filter(\.isForever).flatMap { retention in
                (seeds[retention] ?? []).map { (SoakPayload(seed: $0), retention) }
            }
        }
    }

    /// The digests of what the codec server has stored.
    var codecDigests: [String] { lock.withLock { Array(codec.values) } }
}
