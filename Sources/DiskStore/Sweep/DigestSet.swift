import PayloadKey

/// The digests of a range of shards, as many as memory allows.
struct DigestSet {
    /// The shards whose digests are all in here, if they were added. Shrinks when there are too many.
    private(set) var shards: Range<Int>
    private let capacity: Int
    private var digests: Set<Digest> = []

    /// - Parameters:
    ///   - shards: those that are wanted.
    ///   - capacity: the most digests to hold, at least one shard's.
    init(shards: Range<Int>, capacity: Int) {
        self.shards = shards
        self.capacity = capacity
    }

    mutating func insert(_ digest: Digest) {
        guard shards.contains(Int(digest.firstByte)) else { return }
        digests.insert(digest)
        // One shard is held whole.
        while digests.count > capacity, shards.count > 1 {
            shards = shards.lowerBound..<(shards.lowerBound + shards.count / 2)
            digests = digests.filter { [shards] in shards.contains(Int($0.firstByte)) }
        }
    }

    /// Whether a digest was added.
    func contains(_ digest: Digest) -> Bool { digests.contains(digest) }
}
