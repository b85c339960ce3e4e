import DiskStore
import Encoding
import Foundation
import Storage
import StorePolicy
import TestSupport
import Testing

@testable import lps

/// `lps gc` deletes no more than a share of a large namespace.
@Suite struct ShareGuardTests {
    private let fixture: DiskFixture
    private let content = randomPayload(100)

    init() throws { fixture = try DiskFixture() }

    /// Lets namespace `ns` have keys, some of which are old.
    private func fill(old: Int, young: Int, prefix: String? = nil) throws {
        try fixture.fill(with: old, like: fixture.put(content, prefix: prefix, days: 31), days: 31)
        guard young > 0 else { return }
        try fixture.fill(with: young, like: fixture.put(randomPayload(100), prefix: prefix, days: 1), days: 1)
    }

    private func expectRefused(
        _ selection: KeySelection = KeySelection(),
        _ options: GarbageCollection.Options = .init()
    )
        throws
    {
        let before = files(below: fixture.store.path)
        let error = #expect(throws: Refused.self) { try fixture.collect(selection, options) }
        let text = error?.description ?? ""
        #expect(text.contains("namespace 'ns'") && text.contains("--max-share 100") && !text.contains("\n"), "\(text)")
        #expect(files(below: fixture.store.path) == before)
    }

    @Test func `Over half of the keys of a namespace with over a thousand are not deleted, nor any others`() throws {
        try fill(old: 502, young: 501)
        try fixture.put(content, "small", days: 31)
        try expectRefused()
    }

    @Test func `Half of a large namespace is deleted`() throws {
        try fill(old: 501, young: 501)
        #expect(try fixture.collect().result.keys == 501)
    }

    @Test func `A namespace with a thousand keys may lose them all`() throws {
        try fill(old: 1_000, young: 0)
        #expect(try fixture.collect().result.keys == 1_000)
    }

    @Test func `With a prefix, the share is one of the whole namespace`() throws {
        // All of the prefix, and half of the namespace.
        try fill(old: 1_001, young: 0, prefix: "team")
        try fill(old: 1, young: 1_000)
        #expect(try fixture.collect(fixture.selection("ns", prefix: "team")).result.keys == 1_001)
    }

    @Test func `A prefix that is over half of its namespace is not deleted`() throws {
        try fill(old: 600, young: 0, prefix: "team")
        try fill(old: 1, young: 500)
        try expectRefused(fixture.selection("ns", prefix: "team"))
        try expectRefused(fixture.selection(prefix: "team"))
    }

    @Test func `An operator may set another share, or none`() throws {
        try fill(old: 801, young: 200)
        try expectRefused(KeySelection(), .init(maximumShare: 80))
        try expectRefused(KeySelection(), .init(keepTrash: Age(parsing: "7d")))
        #expect(try fixture.collect(.init(), .init(maximumShare: 100)).result.keys == 801)
    }

    @Test func `A dry run tells what would be deleted, and that it would be refused`() throws {
        try fill(old: 1_001, young: 0)
        let collection = try fixture.collect(.init(), .init(isDryRun: true))
        #expect(collection.result.keys == 1_001)
        #expect(collection.failures == 0, "that is no failure")
        #expect(try fixture.keys().count == 1_001)
    }
}
