import PayloadKey

/// A set of the digests of a range of shards; the range shrinks to limit memory.
struct DigestSet {
    /// The shards whose inserted digests the set contains completely. The range shrinks when the set exceeds its
    /// capacity.
    private(set) var shards: Range<Int>
    private let capacity: Int
    private var digests: Set<Digest> = []

    /// - Parameters:
    ///   - shards: the shards to collect.
    ///   - capacity: the largest number of digests to hold; a single shard may exceed it.
    init(shards: Range<Int>, capacity: Int) {
        self.shards = shards
        self.capacity = capacity
    }

    mutating func insert(_ digest: Digest) {
        guard shards.contains(Int(digest.firstByte)) else { return }
        digests.insert(digest)
        // A single shard is never split.
        while digests.count > capacity, shards.count > 1 {
            shards = shards.lowerBound..<(shards.lowerBound + shards.count / 2)
            digests = digests.filter { [shards] in shards.contains(Int($0.firstByte)) }
        }
    }

    /// Whether a digest is in the set.
    func contains(_ digest: Digest) -> Bool { digests.contains(digest) }
}
