import PayloadKey
import TestSupport
import Testing

@testable import DiskStore

@Suite(.runLimit) struct DigestSetTests {
    /// A digest in a shard with a small number, so that some digests are equal.
    private func digest(_ shard: UInt8, _ number: Int) throws -> Digest {
        let digits = StoreLayout.shard(shard) + String(number + 0x1_0000, radix: 16).suffix(4)
        return try #require(Digest(hex: Array((digits + String(repeating: "0", count: 58)).utf8)))
    }

    @Test(arguments: 0..<40)
    func `A set contains exactly the added digests of its remaining shards`(seed: UInt64) throws {
        var random = SplitMix64(state: seed)
        let first = Int.random(in: 0...255, using: &random)
        let shards = first..<Int.random(in: first + 1...256, using: &random)
        let capacity = [1, 2, 3, 10, 100, 10_000].randomElement(using: &random) ?? 1
        var set = DigestSet(shards: shards, capacity: capacity)
        var model: Set<Digest> = []
        for _ in 0..<Int.random(in: 0...600, using: &random) {
            // Few numbers, so that many digests repeat.
            let digest = try digest(.random(in: 0...255, using: &random), .random(in: 0..<8, using: &random))
            set.insert(digest)
            model.insert(digest)
        }
        #expect(set.shards.lowerBound == shards.lowerBound, "the first shard always remains")
        #expect(set.shards == shards || model.count > capacity / 2, "a repeated digest takes no space")
        #expect(!set.shards.isEmpty && set.shards.upperBound <= shards.upperBound)
        for shard in UInt8.min...UInt8.max {
            for number in 0..<8 {
                let digest = try digest(shard, number)
                let isContained = set.shards.contains(Int(shard)) && model.contains(digest)
                #expect(set.contains(digest) == isContained)
            }
        }
    }

    @Test func `A full set halves its shards until the digests fit`() throws {
        var set = DigestSet(shards: 0..<256, capacity: 100)
        for number in 0..<4 { for shard in UInt8.min...UInt8.max { set.insert(try digest(shard, number)) } }
        #expect(set.shards == 0..<16)
        for shard in UInt8(0)..<16 { for number in 0..<4 { #expect(try set.contains(digest(shard, number))) } }
        #expect(try !set.contains(digest(16, 0)))
    }

    @Test func `A single shard may exceed the memory limit`() throws {
        var set = DigestSet(shards: 0..<256, capacity: 10)
        for number in 0..<5_000 { set.insert(try digest(0, number)) }
        #expect(set.shards == 0..<1)
        for number in 0..<5_000 { #expect(try set.contains(digest(0, number))) }
    }
}
