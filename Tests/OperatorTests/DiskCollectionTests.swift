import DiskStore
import Encoding
import Foundation
import PayloadKey
import Storage
import StorePolicy
import TestSupport
import Testing

@testable import lps

/// `lps gc` on a store on a disk, without the process.
@Suite struct DiskCollectionTests {
    private let fixture: DiskFixture
    private let content = randomPayload(10_000)

    init() throws { fixture = try DiskFixture() }

    @Test func `Keys that were not stored for long enough go, with content that no other key names`() throws {
        let old = try fixture.put(content, days: 31)
        let young = try fixture.put(randomPayload(500), days: 29)
        let diskUsage = try #require(try fixture.store.find(old)).diskUsage
        let result = try fixture.collect().result
        #expect(result == .init(keys: 1, logicalBytes: 10_000, contents: 1, freedBytes: diskUsage))
        #expect(try fixture.keys() == [young])
        #expect(try fixture.store.measureUsage().objects == 1)
    }

    @Test func `Two namespaces that share content have separate ages`() throws {
        let old = try fixture.put(content, "a", days: 31)
        let young = try fixture.put(content, "b", days: 1)
        let result = try fixture.collect().result
        #expect(result == .init(keys: 1, logicalBytes: 10_000))
        #expect(try fixture.store.open(old) == nil)
        try #require(try fixture.store.open(young)).check(young.digest)
        try fixture.age(young, days: 31)
        #expect(try fixture.collect().result.contents == 1)
    }

    @Test func `Each namespace has the age that the policy gives it, and one without is left alone`() throws {
        var policy = StorePolicy()
        for (namespace, age) in [("short", "1d"), ("long", "90d")] {
            var rules = policy.others
            rules.retention = Age(parsing: age)
            policy.namespaces[try Namespace(validating: namespace.utf8)] = rules
        }
        for namespace in ["short", "long", "none"] { try fixture.put(content, namespace, days: 31) }
        let collection = try fixture.collect(olderThan: nil, policy: policy)
        #expect(collection.result == .init(keys: 1, logicalBytes: 10_000))
        #expect(collection.leftAlone.map(\.description) == ["none"])
        #expect(try Set(fixture.keys().map(\.namespace.description)) == ["long", "none"])
    }

    @Test func `With a prefix only its keys go, and those below it`() throws {
        for namespace in ["a", "b"] {
            for prefix in ["team", "team/one", "teamwork", "other/team", nil] {
                try fixture.put(content, namespace, prefix: prefix, days: 31)
            }
        }
        #expect(try fixture.collect(fixture.selection("a", prefix: "team")).result.keys == 2)
        let a = try fixture.keys().filter { $0.namespace.description == "a" }
        #expect(Set(a.map { $0.prefix?.description }) == ["teamwork", "other/team", nil])
        #expect(try fixture.keys().count == 8)
        #expect(try fixture.collect(fixture.selection(prefix: "team")).result.keys == 2, "those of the other namespace")
        #expect(try fixture.keys().count == 6)
    }

    // MARK: Trash

    @Test func `Deleted keys are kept in the trash, with their content, and purged when their time is over`() throws {
        let key = try fixture.put(content, days: 31)
        let collection = try fixture.collect(.init(), .init(keepTrash: Age(parsing: "7d")))
        #expect(collection.result == .init(keys: 1, logicalBytes: 10_000))
        #expect(collection.keepsTrash)
        #expect(try fixture.trashed() == [key])
        #expect(try fixture.collect(.init(), .init(keepTrash: Age(parsing: "7d"))).result == .init())
        let emptied = try fixture.collect(.init(), .init(keepTrash: Age(parsing: "0d"))).result
        #expect(emptied.purgedKeys == 1 && emptied.contents == 1)
        #expect(try fixture.trashed().isEmpty)
    }

    @Test func `Without an age for the trash it is left alone`() throws {
        let key = try fixture.put(content)
        try fixture.moveToTrash(key, days: 1000)
        #expect(try fixture.collect().result == .init())
        #expect(try fixture.trashed() == [key])
    }

    @Test func `With a namespace or a prefix, only its part of the trash is purged`() throws {
        var keys: [String: PayloadKey] = [:]
        for (namespace, prefix) in [("a", nil), ("a", "team"), ("b", nil), ("b", "team")] as [(String, String?)] {
            let key = try fixture.put(randomPayload(100), namespace, prefix: prefix)
            try fixture.moveToTrash(key, days: 10)
            keys["\(namespace)/\(prefix ?? "")"] = key
        }
        let options = GarbageCollection.Options(keepTrash: Age(parsing: "7d"))
        let one = try fixture.collect(fixture.selection("a", prefix: "team"), options).result
        #expect(one.purgedKeys == 1 && one.contents == 1)
        #expect(try fixture.trashed() == Set(keys.filter { $0.key != "a/team" }.values))
        #expect(try fixture.collect(fixture.selection("a"), options).result.purgedKeys == 1)
        #expect(try fixture.trashed() == Set(keys.filter { $0.key.hasPrefix("b/") }.values))
        #expect(try fixture.collect(.init(), options).result.purgedKeys == 2)
    }

    // MARK: The clock

    @Test(arguments: [-1, 4, 400])
    func `A clock that disagrees with the recorded time lets nothing be deleted`(days: Double) throws {
        let key = try fixture.put(content, days: 31)
        try fixture.setRecordedTime(days: days)
        for isDryRun in [true, false] {
            let error = #expect(throws: Refused.self) { try fixture.collect(.init(), .init(isDryRun: isDryRun)) }
            let text = error?.description ?? ""
            #expect(text.contains("nothing is deleted") && text.contains("--force") && !text.contains("\n"), "\(text)")
        }
        #expect(try fixture.keys() == [key])
    }

    @Test func `Without a recorded time nothing is deleted`() throws {
        let key = try fixture.put(content, days: 31)
        unlink("\(fixture.store.path)/clock")
        #expect(throws: Refused.self) { try fixture.collect() }
        #expect(try fixture.keys() == [key])
    }

    @Test(arguments: [-1, 4])
    func `Whoever says that the clock is right has keys deleted, and its time recorded`(days: Double) throws {
        try fixture.put(content, days: 31)
        try fixture.setRecordedTime(days: days)
        #expect(try fixture.collect(.init(), .init(isDryRun: true, trustsClock: true)).result.keys == 1)
        #expect(throws: Refused.self, "a dry run records nothing") { try fixture.collect() }
        #expect(try fixture.collect(.init(), .init(trustsClock: true)).result.keys == 1)
        try fixture.store.checkClock()
    }

    @Test func `One collection runs at a time`() throws {
        let collector = try fixture.store.collector()
        let error = #expect(throws: StoreError.self) {
            try GarbageCollection(
                fixture.store,
                KeySelection(),
                Retention(policy: nil, olderThan: Age(parsing: "30d"), allowsAnyAge: false),
                .init()
            )
        }
        #expect(error?.code == .busy)
        withExtendedLifetime(collector) {}
    }
}
