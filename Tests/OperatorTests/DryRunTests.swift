import DiskStore
import Foundation
import Storage
import TestStores
import TestSupport
import Testing

/// A dry run of `lps gc` predicts exactly what the real run deletes.
@Suite(.runLimit) struct DryRunTests {
    private let disk: TestStore

    init() throws { disk = try TestStore(isInMemory: true) }

    /// Fills the store with keys of all ages, and with trash, that share content.
    private func fill(_ random: inout SplitMix64) throws {
        let contents = (0..<8).map { randomPayload(1_000 + 3_000 * $0) }
        for index in 0..<40 {
            let key = try disk.put(
                contents.randomElement(using: &random) ?? [],
                ["a", "b", "c"].randomElement(using: &random) ?? "a",
                prefix: ["p", "p/q", "r", nil].randomElement(using: &random) ?? nil,
                metadata: "\(index % 4)",
                days: [1, 29, 31, 100].randomElement(using: &random) ?? 1
            )
            guard Int.random(in: 0..<4, using: &random) == 0 else { continue }
            try disk.moveToTrash(key, days: [0, 2, 8, 20].randomElement(using: &random) ?? 0)
        }
    }

    @Test(arguments: 0..<18)
    func `A dry run predicts the real run's keys, sums, contents and freed bytes exactly`(seed: UInt64) throws {
        var random = SplitMix64(state: seed)
        try fill(&random)
        let age = [[], ["--keep-trash", "0d"], ["--keep-trash", "7d"]][Int(seed % 3)]
        let namespace = [["--namespace", "a"], []].randomElement(using: &random) ?? []
        let prefix = [["--prefix", "p"], ["--prefix", "p/q"], []].randomElement(using: &random) ?? []
        let gc = ["gc", "--older-than", "30d", "--list", "--json"] + age + namespace + prefix
        let before = files(below: disk.path)
        let usage = try disk.store.measureUsage()
        let promised = try disk.lps(gc + ["--dry-run"])
        #expect(files(below: disk.path) == before)
        let (keys, trashCount) = try (disk.keys().count, disk.trashed().count)
        let collected = try disk.lps(gc)
        #expect(collected.status == 0 && collected.errors.isEmpty)
        #expect(collected.lines.sorted() == promised.lines.sorted())

        let rows = try jsonLines(collected)
        func total(_ field: String) -> Int { rows.last?[field] as? Int ?? -1 }
        let sums = rows.last?["namespaces"] as? [[String: Any]] ?? []
        for field in ["keys", "logicalBytes", "purgedKeys"] {
            #expect(sums.compactMap { $0[field] as? Int }.reduce(0, +) == total(field), "\(field)")
        }
        #expect(Set(collected.lines).count - 1 == total("keys") + total("purgedKeys"))
        let after = try disk.store.measureUsage()
        #expect(Int(usage.objects - after.objects) == total("contents"))
        #expect(Int(usage.bytes - after.bytes) == total("freedBytes"))
        #expect(try keys - disk.keys().count == total("keys"))
        // A key that was deleted twice within this hour is in the trash once.
        let atLeast = trashCount - total("purgedKeys")
        let atMost = atLeast + (age.last == "7d" ? total("keys") : 0)
        #expect(try (atLeast...atMost).contains(disk.trashed().count))
        for key in try disk.keys() { try #require(try disk.store.open(key)).check(key.digest) }
        try disk.store.forEachTrashedKey { #expect($0.stored.size != nil, "the trash keeps its content") }
        #expect(try jsonLines(disk.lps(gc)).count == 1, "a second run finds nothing to delete")
    }
}
