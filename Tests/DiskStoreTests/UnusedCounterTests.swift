import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

@testable import DiskStore

/// Counters of namespaces that have no keys go, and are made anew.
@Suite struct UnusedCounterTests {
    private static let quota: UInt64 = 10_000
    private let fixture: StoreFixture

    init() throws {
        fixture = try StoreFixture(quota: { _ in Self.quota })
    }

    private var counters: [String] { files(below: fixture.file("usage")).filter { $0 != "epoch" }.sorted() }

    private func empty(_ content: [UInt8], _ namespace: String = "ns") throws {
        try fixture.store.delete(fixture.key(content, namespace: namespace))
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

    @Test func `The counter of a namespace that is being counted stays`() throws {
        let content = randomPayload(100)
        try fixture.put(content)
        try empty(content)
        let lock = try #require(try fixture.store.tryLockCount(of: "ns", LOCK_EX))
        try fixture.store.removeUnusedCounters()
        #expect(counters == ["counting/ns", "namespaces/ns"])
        withExtendedLifetime(lock) {}
    }

    @Test func `Who waited for a count's lock that was removed gets the one that is there then`() throws {
        try fixture.put(randomPayload(100))
        let fixture = fixture
        let path = fixture.file("usage/counting/ns")
        let removed = try fixture.store.root.open("usage/counting/ns", O_RDWR)
        #expect(flock(removed.rawValue, LOCK_EX) == 0)
        try concurrently(2) { index in
            guard index == 1 else {
                let lock = try fixture.store.lockCount(of: "ns")
                #expect(
                    try fixture.store.root.status(of: "usage/counting/ns")?.identity == lock.status("lock").identity
                )
                return
            }
            // Time to go wrong in; right is right without it.
            usleep(50_000)
            unlink(path)
            #expect(flock(removed.rawValue, LOCK_UN) == 0)
        }
    }

    @Test func `An upload that has opened a counter that goes is counted by the next one`() throws {
        let (content, next) = (randomPayload(700), randomPayload(50))
        let key = try fixture.key(content)
        try fixture.put(content, namespace: "free")
        try fixture.put(content)
        try empty(content)
        // So far has the upload come: it holds its shard, and the counter that it has opened says that there is room.
        let shard = try fixture.store.root.open(StoreLayout.lock(key.digest.firstByte), O_RDWR)
        #expect(flock(shard.rawValue, LOCK_SH) == 0)
        let counter = try #require(try UsageCounter("ns", fixture.store))
        try removeUnused(leaving: ["counting/free", "namespaces/free"])
        let fixture = fixture
        try concurrently(2) { index in
            guard index == 1 else {
                try fixture.put(next)
                return
            }
            try eventually("the next one counts") { fixture.status(fixture.file("usage/namespaces/ns")) != nil }
            // Time to go wrong in; right is right without it.
            usleep(50_000)
            try counter.locked { () throws(StoreError) in
                try counter.write(
                    UsageCounter.Line(epoch: fixture.store.epoch.name(), bytes: 0, key: key)
                )
            }
            let folder = fixture.file(StoreLayout.keyFolder(key))
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try write([], to: fixture.file(StoreLayout.key(key)))
            #expect(flock(shard.rawValue, LOCK_UN) == 0)
        }
        #expect(try used() == 750)
    }

    /// Uploads, deletions and removals at once: at the end, the count is what is there.
    @Test func `Counters that go among uploads and deletions leave the count right`() throws {
        let fixture = fixture
        // Room for the last upload is left.
        let stores = try (0..<3).map { _ in
            try fixture.open { _ in Self.quota - 1 }
        }
        let done = Counter()
        try atOnce { group in
            for store in stores {
                group.addTask {
                    defer { done.add() }
                    for _ in 0..<40 {
                        let content = randomPayload(Int.random(in: 1...2_000))
                        let key = try fixture.key(content)
                        do {
                            try store.put(content, key)
                            if Int.random(in: 0..<4) > 0 { try store.delete(key) }
                        } catch let error as StoreError where [.counting, .quotaExceeded].contains(error.code) {
                            continue
                        }
                    }
                }
            }
            group.addTask {
                let collecting = try fixture.open()
                while done.value < stores.count {
                    // Without a pause it would take each folder away before it has a key.
                    usleep(1_000)
                    try collecting.removeEmptyFolders()
                    try collecting.removeUnusedCounters()
                    if let used = try stores[0].countedUsage(of: Namespace(validating: "ns".utf8)) {
                        #expect(used <= Self.quota)
                    }
                }
            }
        }
        try fixture.put([1])
        let walked = try fixture.store.walkedUsage(of: "ns")
        #expect(walked <= Self.quota)
        #expect(try used() == walked)
    }
}
