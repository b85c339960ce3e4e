import Foundation
import PayloadKey
import Storage
import TestStores
import TestSupport
import Testing

@testable import DiskStore

@Suite(.runLimit) struct SweepTests {
    private let kernel = TestKernel()
    private let disk: TestStore
    private let content = randomPayload(10_000)

    init() throws { disk = try TestStore(kernel: kernel) }

    /// Stores payloads and deletes their keys.
    private func leave(_ contents: [UInt8]...) throws {
        for content in contents { try disk.store.remove(disk.put(content)) }
    }

    /// Writes `count` unreferenced objects to a shard, or by default to random ones.
    private func lay(_ count: Int, inShard shard: String = "") throws {
        for _ in 0..<count {
            let content = payload(inShard: shard, size: 8)
            mkdir((disk.objectFile(content) as NSString).deletingLastPathComponent, 0o750)
            try write(content, to: disk.objectFile(content))
        }
    }

    private func expectRefused(_ code: StoreError.Code? = nil, _ reason: String? = nil, _ sweep: () throws -> Swept) {
        let error = #expect(throws: StoreError.self) { _ = try sweep() }
        #expect(code == nil || error?.code == code)
        if let reason { #expect(error?.description.contains(reason) == true, "\(String(describing: error))") }
        expectNoBarrier()
    }

    /// Expects that no barrier stays raised. A child process that another test started holds its lock until execve(2).
    private func expectNoBarrier() {
        #expect(throws: Never.self) {
            try eventually("no barrier is raised") {
                try (UInt8.min...UInt8.max).allSatisfy { try Barrier(of: $0, disk.store.root) == nil }
            }
        }
    }

    @Test func `A sweep deletes exactly the unreferenced content and reports its disk usage`() throws {
        let (kept, trashed, leftovers) = (
            randomPayload(5_000), randomPayload(6_000), (1...5).map { randomPayload($0 * 4_000) }
        )
        try disk.put(kept, "other", prefix: "p/q")
        try disk.store.moveToTrash(disk.put(trashed))
        for content in leftovers { try leave(content) }
        let diskUsage = leftovers.reduce(into: UInt64(0)) { sum, content in
            var status = stat()
            #expect(stat(disk.objectFile(content), &status) == 0)
            sum += UInt64(status.st_blocks) * 512
        }
        var found: [String: UInt64] = [:]
        var expected = Swept()
        (expected.contents, expected.diskUsage) = (5, diskUsage)
        #expect(try disk.sweep(isDryRun: true) == expected)
        #expect(leftovers.allSatisfy(disk.hasObject), "a dry run deletes nothing")
        #expect(try disk.collector().sweep(found: { found[$0] = $1 }) == expected)
        #expect(Set(found.keys) == Set(leftovers.map { StoreLayout.object(Digest(of: $0)) }))
        #expect(found.values.reduce(0, +) == diskUsage)
        #expect(!leftovers.contains(where: disk.hasObject))
        #expect(try disk.get(kept, "other", prefix: "p/q") == kept)
        #expect(disk.hasObject(trashed))
        #expect(try disk.sweep() == Swept())
        expectNoBarrier()
    }

    @Test(arguments: ["upload", "restoration", "move to the trash"])
    func `Content that gets a key during a sweep is kept`(by what: String) throws {
        // The mark phase visits this key, and the closure below then changes the other one.
        try disk.put([1], "a")
        let key = try disk.put(content, "b")
        if what == "restoration" { try disk.store.moveToTrash(key) }
        if what == "upload" { try disk.store.remove(key) }
        let gone = randomPayload(100)
        try leave(gone)
        var isNamed = false
        let swept = try disk.collector().sweep(isDoomed: { (candidate) throws in
            if !isNamed {
                isNamed = true
                switch what {
                case "upload": #expect(try disk.commit(content, "b") == .linked)
                case "restoration": #expect(try disk.store.undelete(disk.trashed()[0]) == .undeleted)
                default: #expect(try disk.store.moveToTrash(key))
                }
            }
            // As if the walk had missed the content's keys.
            return candidate.key.digest == key.digest
        })
        #expect(isNamed && swept.contents == 1 && !disk.hasObject(gone))
        if what == "move to the trash" { _ = try disk.store.undelete(disk.trashed()[0]) }
        #expect(try disk.get(key) == content)
        expectNoBarrier()
    }

    @Test func `A shard with more unreferenced content than one lock covers is swept completely`() throws {
        try lay(131, inShard: "42")
        #expect(try disk.sweep().contents == 131)
        #expect(files(below: disk.file("objects")).isEmpty)
    }

    @Test func `A limited sweep deletes only the given contents, and none that a key names`() throws {
        let contents = ["00", "10", "10", "ff", "ff"].map { payload(inShard: $0) }
        for content in contents { try leave(content) }
        try disk.put(contents[1])
        let asked = Set(contents.dropFirst().dropLast().map { Digest(of: $0) })
        #expect(try disk.collector().sweep(only: asked).contents == 2)
        #expect(contents.map(disk.hasObject) == [true, true, false, false, true])
    }

    @Test func `A sweep that would delete many objects and too large a share of all is refused`()
        throws
    {
        try disk.put(content)
        try lay(999)
        #expect(try disk.collector().sweep(isDryRun: true, maximumShare: 1).contents == 999)
        try lay(1)
        for isDryRun in [true, false] {
            expectRefused(.tooMuchToDelete, "1000 of 1001 objects are unreferenced") {
                try disk.collector().sweep(isDryRun: isDryRun, maximumShare: 99)
            }
        }
        #expect(files(below: disk.file("objects")).count == 1_001)
        // Keys that the caller has deleted explain as many objects.
        expectRefused(.tooMuchToDelete) { try disk.collector().sweep(maximumShare: 99, expected: 1) }
        #expect(try disk.collector().sweep(isDryRun: true, maximumShare: 99, expected: 10).contents == 1_000)
        #expect(try disk.sweep().contents == 1_000)
        #expect(try disk.get(content) == content)
    }

    @Test(arguments: ["keys", "keys/ns/common"])
    func `A sweep deletes nothing if the folder of keys is missing or a link may hide keys`(folder: String) throws {
        try disk.put(content)
        rename(disk.file(folder), disk.file("aside"))
        if folder != "keys" { symlink(disk.file("aside"), disk.file(folder)) }
        expectRefused(folder == "keys" ? .damaged : nil) { try disk.sweep() }
        #expect(disk.hasObject(content))
    }

    @Test func `A sweep deletes nothing if a folder of keys or of the trash is unreadable`() throws {
        let key = try disk.put(content, "ns", prefix: "p")
        let trashed = payload(inShard: key.digest.shard)
        try disk.store.moveToTrash(disk.put(trashed), now: 0)
        try leave(randomPayload(100))
        for folder in [
            "keys/ns/custom/p/@\(key.digest.shard)", "keys/ns/custom", "keys/ns", "keys", "trash/3600/ns/common",
            "trash",
        ] {
            kernel.makeUnreadable(folder)
            expectRefused(nil, folder) { try disk.sweep() }
            #expect(files(below: disk.file("objects")).count == 3)
        }
        kernel.makeUnreadable(nil)
        #expect(try disk.sweep().contents == 1)
        #expect(try disk.get(key) == content && disk.hasObject(trashed))
    }

    @Test func `An unreadable shard is reported, and the others are swept`() throws {
        let contents = ["10", "20", "30"].map { payload(inShard: $0) }
        for content in contents { try leave(content) }
        kernel.makeUnreadable("objects/20")
        var failures = 0
        #expect(try disk.collector().sweep(failed: { _ in failures += 1 }).contents == 2)
        #expect(failures == 1)
        #expect(contents.map(disk.hasObject) == [false, true, false])
    }

    @Test func `Only one process collects garbage at a time, and the error names it`() throws {
        let other = try disk.open(patience: .milliseconds(200))
        do {
            let collector = try disk.collector()
            let error = #expect(throws: StoreError.self) { try other.collector() }
            #expect(error?.code == .busy && error?.holders == [])
            #expect(error?.description.contains("garbage collection lock held by process \(getpid())") == true)
            withExtendedLifetime(collector) {}
        }
        #expect(try disk.collector(of: other).sweep().contents == 0)
    }
}
