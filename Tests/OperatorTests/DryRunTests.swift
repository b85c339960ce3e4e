import DiskStore
import Encoding
import Foundation
import Storage
import StorePolicy
import TestSupport
import Testing

@testable import lps

/// A dry run of `lps gc` tells just what a real one then deletes.
@Suite struct DryRunTests {
    private let fixture: DiskFixture

    init() throws { fixture = try DiskFixture() }

    /// Lets the store have keys of all ages, and trash, that share content.
    private func fill(_ random: inout SplitMix64) throws {
        let contents = (0..<8).map { randomPayload(1_000 + 3_000 * $0) }
        for index in 0..<40 {
            let key = try fixture.put(
                contents.randomElement(using: &random) ?? [],
                ["a", "b", "c"].randomElement(using: &random) ?? "a",
                prefix: ["p", "p/q", "r", nil].randomElement(using: &random) ?? nil,
                metadata: "\(index % 4)",
                days: [1, 29, 31, 100].randomElement(using: &random) ?? 1
            )
            guard Int.random(in: 0..<4, using: &random) == 0 else { continue }
            try fixture.moveToTrash(key, days: [0, 2, 8, 20].randomElement(using: &random) ?? 0)
        }
    }

    @Test(arguments: 0..<18)
    func `Keys, bytes, contents and freed bytes are those of the real run`(seed: UInt64) throws {
        var random = SplitMix64(state: seed)
        try fill(&random)
        let selection = try fixture.selection(
            ["a", nil].randomElement(using: &random) ?? nil,
            prefix: ["p", "p/q", nil].randomElement(using: &random) ?? nil
        )
        let keepTrash = [nil, "0d", "7d"][Int(seed % 3)].flatMap(Age.init(parsing:))
        let before = files(below: fixture.store.path)
        let usage = try fixture.store.measureUsage()
        let dryRun = try fixture.collect(selection, .init(keepTrash: keepTrash, isDryRun: true))
        let promised = dryRun.result
        #expect(files(below: fixture.store.path) == before)
        let (keys, trashCount) = try (fixture.keys().count, fixture.trashCount())
        let collection = try fixture.collect(selection, .init(keepTrash: keepTrash))
        let result = collection.result
        #expect(result == promised)
        #expect(collection.sums == dryRun.sums && collection.listed == dryRun.listed)
        let sums = dryRun.sums.values
        #expect(sums.map(\.keys).reduce(0, +) == result.keys)
        #expect(sums.map(\.logicalBytes).reduce(0, +) == result.logicalBytes)
        #expect(sums.map(\.purgedKeys).reduce(0, +) == result.purgedKeys)
        #expect(
            dryRun.listed.count == result.keys + result.purgedKeys && Set(dryRun.listed).count == dryRun.listed.count
        )
        let after = try fixture.store.measureUsage()
        #expect(usage.objects - after.objects == UInt64(result.contents))
        #expect(usage.bytes - after.bytes == result.freedBytes)
        #expect(try keys - fixture.keys().count == result.keys)
        // One that was deleted before within this hour is in the trash once.
        let atLeast = trashCount - result.purgedKeys
        let atMost = atLeast + (collection.keepsTrash ? result.keys : 0)
        #expect(try (atLeast...atMost).contains(fixture.trashCount()))
        #expect(collection.failures == 0)
        for key in try fixture.keys() { try #require(try fixture.store.open(key)).check(key.digest) }
        try fixture.store.forEachTrashedKey { #expect($0.stored.size != nil, "the trash keeps its content") }
        #expect(try fixture.collect(selection, .init(keepTrash: keepTrash)).result == .init(), "nothing is left to do")
    }
}
