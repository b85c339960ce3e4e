import Foundation
import PayloadKey
import Storage
import TestStores
import TestSupport
import Testing

@testable import DiskStore

@Suite(.runLimit) struct QuotaTests {
    /// The quota of every namespace except `free`.
    private static let quota: UInt64 = 10_000
    private static let quotas: @Sendable (Namespace) -> UInt64? = { $0.description == "free" ? nil : quota }
    private let disk: TestStore

    init() throws { disk = try TestStore(quota: Self.quotas) }

    private static func namespace(_ name: String = "ns") throws -> Namespace { try Namespace(validating: name.utf8) }

    private func used(_ namespace: String = "ns") throws -> UInt64? {
        try disk.store.countedUsage(of: Self.namespace(namespace))
    }

    private func refusal(_ content: [UInt8]) throws -> StoreError {
        try #require(throws: StoreError.self) { try disk.put(content) }
    }

    /// Locks a namespace as another process that counts it does, until the returned file is closed.
    private func count(_ name: String = "ns") throws -> Int32 {
        try #require(try UsageCounter(name, disk.store)).clear()
        let lock = open(disk.file("usage/counting/\(name)"), O_RDWR | O_CLOEXEC)
        #expect(flock(lock, LOCK_EX) == 0)
        return lock
    }

    @Test func `A namespace without a quota has no counter, and a store without quotas no folder of counters`() throws {
        try disk.put(randomPayload(20_000), "free")
        #expect(disk.status(disk.file("usage")) == nil)
        try disk.put(randomPayload(1000))
        try disk.put(randomPayload(20_000), "free")
        #expect(try FileManager.default.contentsOfDirectory(atPath: disk.file("usage/namespaces")) == ["ns"])
        #expect(try disk.strayFiles().isEmpty)
    }

    @Test func `A payload that fills the quota exactly is stored, one byte more is refused and leaves no key`() throws {
        try disk.put(randomPayload(9_000))
        let error = try refusal(randomPayload(1_001))
        #expect(error.code == .quotaExceeded)
        #expect("\(error)" == "namespace 'ns' has a quota of 10000 bytes and uses 9000, 1001 more would exceed it")
        #expect(try disk.keys().count == 1)
        #expect(try disk.sweep().contents == 1, "a commit writes the content before it checks the quota")
        try disk.put(randomPayload(1_000))
        #expect(try used() == 10_000)
        #expect(try refusal([1]).code == .quotaExceeded)
        try disk.put([])
    }

    @Test func `A quota check for a namespace without payloads creates no counter`() throws {
        let content = randomPayload(9_000)
        let key = try payloadKey(content)
        try disk.store.checkQuota(for: 9_000, as: key)
        let error = #expect(throws: StoreError.self) { try disk.store.checkQuota(for: 10_001, as: key) }
        #expect(error?.code == .quotaExceeded)
        let reason = "namespace 'ns' has a quota of 10000 bytes and uses 0, 10001 more would exceed it"
        #expect(error?.description == reason)
        #expect(disk.status(disk.file("usage")) == nil)
        try disk.put(content)
        #expect(try used() == 9_000)
    }

    @Test func `Payloads from before the quota count toward it, and stay usable even if they exceed it`() throws {
        let before = randomPayload(11_000)
        try disk.open().put(before, as: payloadKey(before))
        #expect(try disk.commit(before) == .existed)
        #expect(try disk.get(before) == before)
        #expect("\(try refusal([1]))".contains("uses 11000,"))
        #expect(try disk.commit(before) == .existed)
    }

    @Test func `A short key overwrites a long one in the counter completely`() throws {
        let prefix = Array(repeating: String(repeating: "p", count: 120), count: 4).joined(separator: "/")
        try disk.put(randomPayload(100), prefix: prefix)
        try disk.put(randomPayload(10))
        #expect(try used() == 110)
        try disk.put(randomPayload(1), prefix: prefix)
        #expect(try used() == 111)
    }

    @Test func `A process joins the epoch at its start if one exists, or if it has quotas`() throws {
        let disk = try TestStore()
        func epoch() -> String? { try? String(contentsOfFile: disk.file("usage/epoch"), encoding: .utf8) }
        try disk.store.keepCounts(hasQuotas: false)
        #expect(epoch() == nil)
        let first = try disk.open()
        try first.keepCounts(hasQuotas: true)
        let begun = try #require(epoch())
        try disk.store.keepCounts(hasQuotas: false)
        try disk.open().keepCounts(hasQuotas: true)
        #expect(epoch() == begun)
        withExtendedLifetime(first) {}
    }

    @Test func `Counts of an epoch that has no process left are discarded`() throws {
        let disk = try TestStore()
        /// Whether a process that starts now refuses 9000 bytes.
        func isRefused() throws -> Bool {
            do {
                try disk.open(quota: Self.quotas).checkQuota(for: 9_000, as: payloadKey(randomPayload(9_000)))
                return false
            } catch let error as StoreError where error.code == .quotaExceeded {
                return true
            }
        }
        let content = randomPayload(2_000)
        let key = try payloadKey(content)
        try disk.open(quota: Self.quotas).put(content, as: key)
        do {
            let living = try disk.open(quota: Self.quotas)
            #expect(try living.usage(of: key.namespace) == 2_000)
            // As after a power loss.
            unlink(disk.keyFile(key))
            // A process always checks the key that was counted last, so the counter must not name this one.
            let counter = try #require(try UsageCounter("ns", living))
            try counter.write(UsageCounter.Line(epoch: living.epochName(), bytes: 2_000, key: nil))
            #expect(try isRefused(), "the epoch has a process, so the count is trusted")
            withExtendedLifetime(living) {}
        }
        // A child process that another test started holds this process's locks until it calls execve(2).
        try eventually("the epoch has no process left") { try !isRefused() }
    }

    // MARK: While a namespace is counted

    @Test func `While a namespace is counted, only existing payloads can be stored and read`()
        throws
    {
        let content = randomPayload(1_000)
        try disk.put(content)
        let lock = try count()
        let other = try disk.open()
        let new = randomPayload(10)
        let error = #expect(throws: StoreError.self) { try other.put(new, as: payloadKey(new)) }
        #expect(error?.code == .counting)
        #expect(error?.description == "the use of namespace 'ns' is being counted, try again")
        #expect(try disk.get(new) == nil)
        #expect(try disk.commit(content) == .existed)
        #expect(try disk.get(content) == content)
        try disk.put(content, "free")
        // The counting process ends.
        close(lock)
        try other.put(new, as: payloadKey(new))
        #expect(try used() == nil, "a process without quotas does not count")
        try disk.put(randomPayload(1))
        #expect(try used() == 1_011)
    }

    @Test func `A process counts one namespace at a time, and uploads that need another count do not wait`()
        throws
    {
        let (store, content) = (disk.store, randomPayload(20))
        for namespace in ["one", "other"] { try disk.put(content, namespace) }
        try #require(try UsageCounter("other", store)).clear()
        // Another process counts the namespace.
        let lock = try count("one")
        try concurrently(2) { index in
            guard index == 1 else {
                try store.put([1], as: payloadKey([1], "one"))
                return
            }
            try eventually("a thread waits for the count") { store.isCounting.load(ordering: .relaxed) }
            let error = #expect(throws: StoreError.self) { try store.put([1], as: payloadKey([1], "other")) }
            #expect(error?.code == .counting)
            // An existing key needs no count.
            try store.put(content, as: payloadKey(content, "other"))
            close(lock)
        }
        try disk.put([1], "other")
        for namespace in ["one", "other"] { #expect(try used(namespace) == 21) }
    }

    @Test func `Lost content that is uploaded again under its key needs no count`() throws {
        let content = randomPayload(1_000)
        let key = try disk.put(content)
        try disk.store.loseContent(key.digest)
        unlink(disk.objectFile(content))
        #expect(try disk.store.put(content, as: key) == .existed)
        #expect(try #require(try UsageCounter("ns", disk.store)).line() == nil, "nobody has counted")
        #expect(try disk.get(key) == content)
        try disk.put([1])
        #expect(try used() == 1_001)
    }

    @Test func `A deletion waits for a count`() throws {
        let key = try disk.put(randomPayload(1_000))
        let lock = try count()
        let ended = Counter()
        try concurrently(2) { [disk] index in
            guard index == 1 else {
                try disk.store.remove(key)
                #expect(ended.value == 1)
                return
            }
            // Time for a faulty deletion to finish; a correct one passes without it.
            usleep(50_000)
            #expect(try disk.store.find(key) != nil)
            ended.add()
            close(lock)
        }
        #expect(try disk.get(key) == nil)
    }

    /// Several processes store, and one of them also deletes.
    @Test func `Concurrent uploads and deletions never exceed the quota, and the count stays exact`() throws {
        let stores = try (0..<3).map { _ in try disk.open(quota: Self.quotas) }
        let (taken, refused) = (Counter(), Counter())
        try concurrently(7) { index in
            guard index < 6 else {
                for _ in 0..<40 {
                    try stores[0].forEachKey { if Bool.random() { _ = try stores[0].remove($0.key) } }
                    // A walk can see both a deleted key and one stored after it, so the count is checked instead.
                    if let used = try stores[1].countedUsage(of: Self.namespace()) { #expect(used <= Self.quota) }
                }
                return
            }
            for _ in 0..<150 {
                let content = randomPayload(Int.random(in: 500...1500))
                do {
                    try stores[index / 2].put(content, as: payloadKey(content))
                    taken.add()
                } catch let error as StoreError where error.code == .quotaExceeded {
                    refused.add()
                } catch let error as StoreError where error.code == .counting {
                    continue
                }
            }
        }
        #expect(taken.value >= 6 && refused.value > 10, "\(taken.value), \(refused.value)")
        var walked: UInt64 = 0
        try disk.store.forEachKey { walked += $0.size ?? 0 }
        #expect(try walked <= Self.quota && used() == walked)
    }

    @Test func `An upload succeeds after a power loss left a counter without the folder of counts`() throws {
        try disk.put(randomPayload(100))
        try write([], to: disk.file("usage/namespaces/ns"))
        try FileManager.default.removeItem(atPath: disk.file("usage/counting"))
        let content = randomPayload(200)
        #expect(try disk.open().put(content, as: payloadKey(content)) == .created)
    }

    // MARK: Counters of namespaces that have no keys

    private var counters: [String] { files(below: disk.file("usage")).filter { $0 != "epoch" }.sorted() }

    @Test func `A counter is removed with the folder of its namespace`() throws {
        try disk.store.removeUnusedCounters()
        #expect(disk.status(disk.file("usage")) == nil, "nothing is created if nothing was counted")
        let content = randomPayload(100)
        let key = try disk.put(content)
        try disk.put(content, "other")
        let strays = ["usage/counting/stray", "usage/namespaces/stray"].map(disk.file)
        for folder in strays { try disk.makeFolder(folder) }
        try disk.store.removeUnusedCounters()
        #expect(counters.count == 4)
        try disk.store.remove(key)
        try disk.store.removeEmptyFolders()
        // A child process that another test started holds a counter's lock until it calls execve(2).
        try eventually("unused counters are removed") {
            try disk.store.removeUnusedCounters()
            return counters == ["counting/other", "namespaces/other"]
        }
        for folder in strays { #expect(disk.status(folder) != nil, "a folder in place of a counter stays") }
        #expect(try used("other") == 100)
        try disk.put(content)
        #expect(try used() == 100 && counters.count == 4)
    }
}
