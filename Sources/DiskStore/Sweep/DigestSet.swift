import PayloadKey

/// The digests of a range, as many as memory allows: 32 bytes each, in order.
struct DigestSet {
    /// The shards whose digests are all in here, if they were added. Shrinks when there are too many.
    private(set) var shards: Range<Int>
    private let capacity: Int
    /// How many digests to add before looking whether there are too many.
    private var limit: Int
    private var digests: [Digest] = []
    /// How many of ``digests`` are in order, without repetitions.
    private var sorted = 0

    /// - Parameters:
    ///   - shards: those that are wanted.
    ///   - capacity: the most digests to hold, at least one shard's.
    init(shards: Range<Int>, capacity: Int) {
        self.shards = shards
        self.capacity = capacity
        limit = capacity
        digests.reserveCapacity(min(capacity, 4096))
    }

    mutating func insert(_ digest: Digest) {
        guard shards.contains(Int(digest.firstByte)) else { return }
        digests.append(digest)
        guard digests.count > limit else { return }
        sort()
        while digests.count > capacity / 4 * 3, shards.count > 1 {
            shards = shards.lowerBound..<(shards.lowerBound + shards.count / 2)
            digests.removeAll { !shards.contains(Int($0.firstByte)) }
        }
        sorted = digests.count
        // One shard is held whole. Sorted at each digest that is too many, a large one would take for ever.
        limit = digests.count > capacity / 4 * 3 ? digests.count * 2 : capacity
    }

    /// Ends the adding.
    mutating func sort() {
        guard sorted < digests.count else { return }
        digests.sort()
        var last: Digest?
        digests.removeAll { digest in
            defer { last = digest }
            return digest == last
        }
        sorted = digests.count
    }

    /// Whether a digest was added; after ``sort()``.
    func contains(_ digest: Digest) -> Bool {
        var range = 0..<digests.count
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            if digests[middle] == digest { return true }
            range = digests[middle] < digest ? middle + 1..<range.upperBound : range.lowerBound..<middle
        }
        return false
    }
}
