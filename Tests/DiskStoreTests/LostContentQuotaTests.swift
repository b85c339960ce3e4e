import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

@testable import DiskStore

/// What namespaces use of their quotas when content is lost, and comes back.
@Suite struct LostContentQuotaTests {
    private let fixture: StoreFixture
    private let content = randomPayload(6_000)
    private let sound = randomPayload(100)

    init() throws {
        fixture = try StoreFixture(quota: { $0.description == "free" ? nil : 1_000_000 })
        for namespace in ["ns", "other"] {
            try fixture.put(content, namespace: namespace)
            try fixture.put(content, namespace: namespace, prefix: "p")
            try fixture.put(sound, namespace: namespace)
        }
    }

    private func quarantine() throws {
        try fixture.harm(content)
        _ = try fixture.store.scrub { _ in }
    }

    /// Each namespace uses what its keys have, asked for now and by the next upload, which counts.
    private func expectUsage(_ expected: UInt64, _ namespaces: [String] = ["ns", "other"], line: Int = #line) throws {
        for name in namespaces {
            let namespace = try Namespace(validating: name.utf8)
            #expect(try fixture.store.walkedUsage(of: name) == expected, "\(name), line \(line)")
            #expect(try fixture.store.usage(of: namespace) == expected, "\(name), line \(line)")
            let extra = randomPayload(7)
            try fixture.put(extra, namespace: name)
            #expect(try fixture.store.countedUsage(of: namespace) == expected + 7, "\(name), line \(line)")
            try fixture.store.delete(fixture.key(extra, namespace: name))
            #expect(try fixture.store.countedUsage(of: namespace) == expected, "\(name), line \(line)")
        }
    }

    @Test func `Content in quarantine counts for none of its keys`() throws {
        try expectUsage(12_100)
        try quarantine()
        try expectUsage(100)
    }

    @Test(arguments: ["ns", "free", "new"])
    func `Content that comes back counts for all its keys again, whoever uploads it`(namespace: String) throws {
        try quarantine()
        try expectUsage(100)
        try fixture.put(content, namespace: namespace, metadata: "new")
        for name in ["ns", "other"] { try expectUsage(name == namespace ? 18_100 : 12_100, [name]) }
        #expect(files(below: fixture.file("usage/lost")).isEmpty)
    }

    @Test func `Keys that are deleted while their content is in quarantine count for nothing when it comes back`()
        throws
    {
        try quarantine()
        try fixture.store.delete(fixture.key(content))
        try fixture.store.moveToTrash(fixture.key(content, prefix: "p"))
        try fixture.put(content, namespace: "free")
        try expectUsage(100, ["ns"])
        try expectUsage(12_100, ["other"])
        _ = try fixture.store.undelete(#require(try fixture.store.trashed(fixture.key(content, prefix: "p")).first))
        try expectUsage(6_100, ["ns"])
    }

    @Test func `Content that is quarantined and comes back again and again is counted right each time`() throws {
        for round in 0..<3 {
            try quarantine()
            try expectUsage(100)
            try fixture.put(content, namespace: "free", metadata: "\(round)")
            try expectUsage(12_100)
        }
    }

    @Test(arguments: Harm.allCases)
    func `Damaged content that an upload replaces counts with its right size`(harm: Harm) throws {
        try fixture.harm(content, harm)
        try fixture.put(content, namespace: "free")
        try expectUsage(12_100)
    }

    @Test func `Quarantine and revival among uploads, deletions and counts leave the usage right`() throws {
        let fixture = fixture
        let content = content
        let stores = try (0..<2).map { _ in try fixture.open { $0.description == "free" ? nil : 1_000_000 } }
        try atOnce { group in
            for store in stores {
                group.addTask {
                    for _ in 0..<60 {
                        let content = randomPayload(Int.random(in: 1...500))
                        let key = try fixture.key(content)
                        do {
                            try store.put(content, key)
                            if Bool.random() { try store.delete(key) }
                        } catch let error as StoreError where error.code == .counting {
                            continue
                        }
                    }
                }
            }
            group.addTask {
                for _ in 0..<10 {
                    try fixture.harm(content)
                    _ = try fixture.store.scrub { _ in }
                    try fixture.put(content, namespace: "free")
                }
            }
            group.addTask {
                let namespace = try Namespace(validating: "ns".utf8)
                for _ in 0..<10 {
                    do {
                        _ = try stores[0].recount(namespace)
                    } catch let error as StoreError where error.code == .counting {
                        continue
                    }
                }
            }
        }
        try expectUsage(fixture.store.walkedUsage(of: "ns"), ["ns"])
    }
}
