import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

@testable import DiskStore

@Suite(.timeLimit(.minutes(5))) struct QuotaTests {
    /// What the namespace `ns` may have.
    private static let quota: UInt64 = 10_000
    private let fixture: StoreFixture

    init() throws {
        fixture = try StoreFixture(quota: Self.quotas)
    }

    private static let quotas: @Sendable (Namespace) -> UInt64? = { namespace in
        namespace.description == "ns" ? Self.quota : nil
    }

    private static func namespace(_ name: String = "ns") throws -> Namespace {
        try Namespace(validating: name.utf8)
    }

    private func used() throws -> UInt64? {
        try fixture.store.countedUsage(of: Self.namespace())
    }

    private func refusal(_ content: [UInt8]) throws -> StoreError {
        try #require(throws: StoreError.self) { try fixture.put(content) }
    }

    @Test func `A namespace without a quota has no counter, and a store without quotas no folder for them`() throws {
        try fixture.put(randomPayload(20_000), namespace: "free")
        #expect(fixture.status(fixture.file("usage")) == nil)
        try fixture.put(randomPayload(1000))
        #expect(fixture.status(fixture.file("usage/namespaces/ns")) != nil)
        try fixture.put(randomPayload(20_000), namespace: "free")
        #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.file("usage/namespaces")) == ["ns"])
        #expect(try fixture.store.strayFiles().isEmpty)
    }

    @Test func `A payload that touches the quota is taken, one byte more is refused and leaves no key`() throws {
        try fixture.put(randomPayload(9_000))
        let error = try refusal(randomPayload(1_001))
        #expect(error.code == .quotaExceeded)
        #expect("\(error)" == "namespace 'ns' has a quota of 10000 bytes and uses 9000, 1001 more would exceed it")
        #expect(files(below: fixture.file("keys")).count == 1)
        #expect(try fixture.sweep().contents == 1, "a commit puts its content on disk before it asks")
        try fixture.put(randomPayload(1_000))
        #expect(try used() == 10_000)
        #expect(try refusal([1]).code == .quotaExceeded)
        try fixture.put([])
    }

    @Test func `An upload to a namespace without payloads leaves nothing, until it is verified`() throws {
        let content = randomPayload(9_000)
        try fixture.store.checkQuota(for: 9_000, as: fixture.key(content))
        let error = #expect(throws: StoreError.self) {
            try fixture.store.checkQuota(for: 10_001, as: fixture.key(content))
        }
        #expect(error?.code == .quotaExceeded)
        let reason = "namespace 'ns' has a quota of 10000 bytes and uses 0, 10001 more would exceed it"
        #expect(error?.description == reason)
        #expect(fixture.status(fixture.file("usage")) == nil)
        try fixture.put(content)
        #expect(try used() == 9_000)
    }

    @Test func `What was there before the quota counts, and is taken again and read, however much it is`() throws {
        let before = randomPayload(11_000)
        try fixture.open().put(before, fixture.key(before))
        #expect(try fixture.put(before) == .existed)
        #expect(try fixture.get(before) == before)
        #expect("\(try refusal([1]))".contains("uses 11000,"))
        #expect(try fixture.put(before) == .existed)
    }

    @Test func `A long key is followed by a short one without a trace`() throws {
        let prefix = Array(repeating: String(repeating: "p", count: 120), count: 4).joined(separator: "/")
        try fixture.put(randomPayload(100), prefix: prefix)
        try fixture.put(randomPayload(10))
        #expect(try used() == 110)
        try fixture.put(randomPayload(1), prefix: prefix)
        #expect(try used() == 111)
    }

    @Test func `Counts of a time of which nobody is left are made anew`() throws {
        let path = fixture.path
        let folder = fixture.folder
        let content = randomPayload(2_000)
        let key = try fixture.key(content)
        /// What a process that begins now answers to a payload of 9000 bytes.
        func answer() throws -> StoreError.Code? {
            let store = try DiskStore(path: path, reserve: 0, quota: Self.quotas, logger: RecordedLog().logger)
            let payload = randomPayload(9_000)
            let key = PayloadKey(
                namespace: key.namespace,
                prefix: nil,
                digest: Digest(of: payload),
                metadataHash: key.metadataHash
            )
            do {
                try store.checkQuota(for: 9_000, as: key)
                return nil
            } catch let error as StoreError {
                return error.code
            }
        }
        try DiskStore(path: path, quota: Self.quotas, logger: RecordedLog().logger).put(content, key)
        do {
            let living = try DiskStore(path: path, reserve: 0, quota: Self.quotas, logger: RecordedLog().logger)
            #expect(try living.usage(of: Self.namespace()) == 2_000)
            // As a loss of power takes it.
            unlink("\(path)/\(StoreLayout.key(key))")
            // The key that was counted last is always looked at: it is another one for the others.
            let counter = try #require(try UsageCounter("ns", living))
            try counter.write(UsageCounter.Line(epoch: living.epochName(), bytes: 2_000, key: nil))
            #expect(try answer() == .quotaExceeded, "who lives trusts the count")
            withExtendedLifetime(living) {}
        }
        // A child that another test starts just now has what is open here until it executes its program, locks too.
        try eventually("nobody is left") { try answer() == nil }
        withExtendedLifetime(folder) {}
    }

    @Test func `A recount finds what was changed by hand, and tells what was wrong`() throws {
        try fixture.put(randomPayload(1_000), prefix: "by-hand")
        try fixture.put(randomPayload(200))
        try FileManager.default.removeItem(atPath: fixture.file("keys/ns/custom"))
        let (before, now) = try fixture.store.recount(Self.namespace())
        #expect(before == 1_200 && now == 200)
        #expect(try used() == 200)
        #expect(try fixture.store.recount(Self.namespace()).before == 200)
    }

    @Test func `While a namespace is counted new payloads wait outside, those that are there are taken, others go on`()
        throws
    {
        let content = randomPayload(1_000)
        try fixture.put(content)
        let counter = try #require(try UsageCounter("ns", fixture.store))
        try counter.clear()
        let lock = try fixture.store.root.open("usage/counting/ns", O_RDWR)
        #expect(flock(lock.rawValue, LOCK_EX) == 0)
        let other = try fixture.open()
        let new = randomPayload(10)
        let error = #expect(throws: StoreError.self) { try other.put(new, fixture.key(new)) }
        #expect(error?.code == .counting)
        #expect(error?.description == "the use of namespace 'ns' is being counted, try again")
        #expect(try fixture.get(new) == nil)
        #expect(try fixture.put(content) == .existed)
        #expect(try fixture.get(content) == content)
        try fixture.put(content, namespace: "free")
        // The count dies.
        #expect(flock(lock.rawValue, LOCK_UN) == 0)
        try other.put(new, fixture.key(new))
        #expect(try used() == nil, "nobody who has no quota counts")
        try fixture.put(randomPayload(1))
        #expect(try used() == 1_011)
    }

    @Test func `One thread of a process counts, and those that need another namespace's count do not wait for it`()
        throws
    {
        let store = try fixture.open { _ in Self.quota }
        let (one, other) = (randomPayload(10), randomPayload(20))
        let keys = try (fixture.key(one, namespace: "one"), fixture.key(other, namespace: "other"))
        for (content, key) in [(one, keys.0), (other, keys.1)] {
            try store.put(content, key)
            let counter = try #require(try UsageCounter(key.namespace.description, store))
            try counter.clear()
        }
        // Another process counts.
        let lock = try store.root.open("usage/counting/one", O_RDWR)
        #expect(flock(lock.rawValue, LOCK_EX) == 0)
        let new = try (fixture.key([1], namespace: "one"), fixture.key([1], namespace: "other"))
        try concurrently(2) { index in
            guard index == 1 else {
                try store.put([1], new.0)
                return
            }
            try eventually("a thread waits for the count") { store.isCounting.load(ordering: .relaxed) }
            let error = #expect(throws: StoreError.self) { try store.put([1], new.1) }
            #expect(error?.code == .counting)
            // What needs no count goes on.
            try store.put(other, keys.1)
            #expect(flock(lock.rawValue, LOCK_UN) == 0)
        }
        try store.put([1], new.1)
        #expect(try store.countedUsage(of: keys.0.namespace) == 11)
        #expect(try store.countedUsage(of: keys.1.namespace) == 21)
    }

    @Test func `Deletions wait for a count`() throws {
        let content = randomPayload(1_000)
        try fixture.put(content)
        let counter = try #require(try UsageCounter("ns", fixture.store))
        try counter.clear()
        let lock = try fixture.store.root.open("usage/counting/ns", O_RDWR)
        #expect(flock(lock.rawValue, LOCK_EX) == 0)
        let ended = Counter()
        let (fixture, key) = (fixture, try fixture.key(content))
        try concurrently(2) { index in
            guard index == 1 else {
                try fixture.store.remove(key)
                #expect(ended.value == 1)
                return
            }
            // Time to go wrong in; right is right without it.
            usleep(50_000)
            #expect(try fixture.get(content) == content)
            ended.add()
            #expect(flock(lock.rawValue, LOCK_UN) == 0)
        }
        #expect(try fixture.get(content) == nil)
    }

    /// Processes with the quota, of which one deletes: the namespace never has more than it may, and the count is right.
    @Test func `Uploads and deletions at once never exceed the quota, and are counted`() throws {
        let fixture = fixture
        let stores = try (0..<3).map { _ in try fixture.open(quota: Self.quotas) }
        let (taken, refused) = (Counter(), Counter())
        try atOnce { group in
            for store in stores {
                for _ in 0..<2 {
                    group.addTask {
                        for _ in 0..<150 {
                            let content = randomPayload(Int.random(in: 500...1500))
                            do {
                                try store.put(content, fixture.key(content))
                                taken.add()
                            } catch let error as StoreError where error.code == .quotaExceeded {
                                refused.add()
                            } catch let error as StoreError where error.code == .counting {
                                continue
                            }
                        }
                    }
                }
            }
            group.addTask {
                for _ in 0..<40 {
                    try stores[0].forEachKey { if Bool.random() { _ = try stores[0].remove($0.key) } }
                    // A walk may see a key that goes and one that comes for it: look at the count.
                    if let used = try stores[1].countedUsage(of: Self.namespace()) { #expect(used <= Self.quota) }
                }
            }
        }
        #expect(taken.value >= 6 && refused.value > 10, "\(taken.value), \(refused.value)")
        let walked = try fixture.store.walkedUsage(of: "ns")
        #expect(walked <= Self.quota)
        #expect(try used() == walked)
    }

    @Test func `An upload is stored where a power loss has left a counter without the folder of counts`() throws {
        try fixture.put(randomPayload(100))
        try write([], to: fixture.file("usage/namespaces/ns"))
        try FileManager.default.removeItem(atPath: fixture.file("usage/counting"))
        let restarted = try DiskStore(path: fixture.path, reserve: 0, logger: fixture.log.logger)
        let content = randomPayload(200)
        let upload = try fixture.verified(content)
        #expect(try restarted.commit(upload, as: fixture.key(content)) == .created)
    }
}
