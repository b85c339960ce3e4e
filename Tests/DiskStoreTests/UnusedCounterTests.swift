import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

@testable import DiskStore

/// Counters of namespaces that have no keys go, and are made anew.
@Suite(.timeLimit(.minutes(5))) struct UnusedCounterTests {
    private static let quota: UInt64 = 10_000
    private let fixture: StoreFixture

    init() throws {
        fixture = try StoreFixture(quota: { _ in Self.quota })
    }

    private var counters: [String] { files(below: fixture.file("usage")).filter { $0 != "epoch" }.sorted() }

    private func empty(_ content: [UInt8], _ namespace: String = "ns") throws {
        try fixture.store.remove(fixture.key(content, namespace: namespace))
        try fixture.store.removeEmptyFolders()
    }

    private func used(_ namespace: String = "ns") throws -> UInt64? {
        try fixture.store.countedUsage(of: Namespace(validating: namespace.utf8))
    }

    /// A counter's lock is held as long as a child that another test started meanwhile has not executed its program.
    private func removeUnused(leaving others: [String]) throws {
        try eventually("unused counters are removed") {
            try fixture.store.removeUnusedCounters()
            return counters == others
        }
    }

    @Test func `Counters go with the folders of their namespaces, others stay`() throws {
        let content = randomPayload(100)
        for namespace in ["ns", "other"] { try fixture.put(content, namespace: namespace) }
        try fixture.store.removeUnusedCounters()
        #expect(counters.count == 4)
        try empty(content)
        try removeUnused(leaving: ["counting/other", "namespaces/other"])
        #expect(try used("other") == 100)
        try fixture.put(content)
        #expect(try used() == 100)
        #expect(counters.count == 4)
    }

    @Test func `Where nothing was counted nothing is there to go`() throws {
        try fixture.store.removeUnusedCounters()
        #expect(fixture.status(fixture.file("usage")) == nil)
    }

    @Test func `A folder in the place of a counter is not ours`() throws {
        let content = randomPayload(100)
        try fixture.put(content)
        for folder in ["counting", "namespaces"] {
            try FileManager.default.createDirectory(
                atPath: fixture.file("usage/\(folder)/stray"),
                withIntermediateDirectories: false
            )
        }
        try fixture.store.removeUnusedCounters()
        #expect(fixture.status(fixture.file("usage/counting/stray")) != nil)
        #expect(fixture.status(fixture.file("usage/namespaces/stray")) != nil)
    }
}
