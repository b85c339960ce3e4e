import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

@testable import DiskStore

@Suite(.timeLimit(.minutes(5))) struct SweepTests {
    private let fixture: StoreFixture
    private let content = randomPayload(10_000)

    init() throws {
        fixture = try StoreFixture()
    }

    /// Stores a payload and deletes its key.
    private func leave(_ content: [UInt8]) throws {
        try fixture.put(content)
        try fixture.store.remove(fixture.key(content))
    }

    /// The bytes that the contents take on the disk.
    private func diskUsage(_ contents: [[UInt8]]) -> UInt64 {
        contents.reduce(0) { sum, content in
            var status = stat()
            #expect(stat(fixture.objectPath(content), &status) == 0)
            return sum + UInt64(status.st_blocks) * 512
        }
    }

    /// No barrier stays raised. A lock is held as long as a child that another test started meanwhile has not executed its
    /// program.
    private func expectNoBarrier() throws {
        try eventually("no barrier is raised") {
            try (UInt8.min...UInt8.max).allSatisfy { try Barrier(of: $0, fixture.store.root) == nil }
        }
    }

    @Test func `Unreferenced content is deleted, all other content stays, and the disk usage is exact`() throws {
        let (kept, trashed, leftovers) = (
            randomPayload(5_000), randomPayload(6_000), (1...5).map { randomPayload($0 * 4_000) }
        )
        try fixture.put(kept, namespace: "other", prefix: "p/q")
        try fixture.put(trashed)
        try fixture.store.moveToTrash(fixture.key(trashed))
        for content in leftovers { try leave(content) }
        let diskUsage = diskUsage(leftovers)
        var found: [String: UInt64] = [:]
        var expected = Swept()
        (expected.contents, expected.diskUsage) = (5, diskUsage)
        #expect(try fixture.sweep(isDryRun: true) == expected)
        #expect(leftovers.allSatisfy(fixture.hasObject), "a dry run deletes nothing")
        #expect(try fixture.collector().sweep(found: { found[$0] = $1 }) == expected)
        #expect(Set(found.keys) == Set(leftovers.map { StoreLayout.object(Digest(of: $0)) }))
        #expect(found.values.reduce(0, +) == diskUsage)
        #expect(!leftovers.contains(where: fixture.hasObject))
        #expect(try fixture.get(kept, namespace: "other", prefix: "p/q") == kept)
        #expect(fixture.hasObject(trashed))
        #expect(try fixture.sweep() == Swept())
        try expectNoBarrier()
    }

    @Test(arguments: ["upload", "restoration"])
    func `Unreferenced content that gets a key during the sweep stays`(by what: String) throws {
        // The one that the mark phase meets, so that something is done in between.
        try fixture.put([1])
        let trashed: TrashedKey? =
            if what == "restoration" {
                try {
                    try fixture.put(content)
                    try fixture.store.moveToTrash(fixture.key(content))
                    return try fixture.store.trashed(fixture.key(content)).first
                }()
            } else {
                nil
            }
        if trashed == nil { try leave(content) }
        let gone = randomPayload(100)
        try leave(gone)
        var isStored = false
        let swept = try fixture.collector().sweep(isDoomed: { (candidate) throws in
            guard !isStored, candidate.deleted == nil else { return candidate.deleted != nil }
            isStored = true
            if let trashed {
                #expect(try fixture.store.undelete(trashed) == .undeleted)
            } else {
                #expect(try fixture.put(content, namespace: "new") == .linked)
            }
            return false
        })
        #expect(isStored)
        #expect(swept.contents == 1)
        #expect(!fixture.hasObject(gone))
        #expect(try fixture.get(content, namespace: trashed == nil ? "new" : "ns") == content)
        try expectNoBarrier()
    }

    @Test func `Content that is moved to the trash during the sweep stays`() throws {
        // By name, the trash comes after the keys; the folder of its hour is new.
        try fixture.put([1], namespace: "a")
        try fixture.put(content, namespace: "b")
        var isMoved = false
        let swept = try fixture.collector().sweep(isDoomed: { (candidate) throws in
            if !isMoved {
                isMoved = true
                try fixture.store.moveToTrash(fixture.key(content, namespace: "b"))
            }
            // As if the walk had not met the key before it was moved.
            return candidate.key.digest == Digest(of: content)
        })
        #expect(isMoved && swept.contents == 0)
        #expect(fixture.hasObject(content))
    }

    @Test func `A shard with more unreferenced content than one lock is held for is swept whole`() throws {
        let contents = (0..<131).map { _ in payload(inShard: 0x42, size: 8) }
        let folder = fixture.file(StoreLayout.objectFolder(0x42))
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for content in contents { try write(content, to: fixture.objectPath(content)) }
        #expect(try fixture.sweep().contents == contents.count)
        #expect(files(below: folder).isEmpty)
    }

    @Test func `Only the contents that are asked for are swept, unless a key names them`() throws {
        let contents = [0x00, 0x10, 0x10, 0xFF, 0xFF].map { payload(inShard: $0) }
        for content in contents { try leave(content) }
        try fixture.put(contents[1])
        let asked = Set(contents.dropFirst().dropLast().map { Digest(of: $0) })
        #expect(try fixture.collector().sweep(only: asked).contents == 2)
        #expect(contents.map(fixture.hasObject) == [true, true, false, false, true])
    }

    @Test func `Where too large a share of the content is unreferenced nothing is deleted, unless there is little`()
        throws
    {
        func leave(_ count: Int) throws {
            for _ in 0..<count {
                let content = randomPayload(8)
                let path = fixture.objectPath(content)
                mkdir((path as NSString).deletingLastPathComponent, 0o750)
                try write(content, to: path)
            }
        }
        try fixture.put(content)
        try leave(999)
        #expect(try fixture.collector().sweep(isDryRun: true, maximumShare: 1).contents == 999)
        try leave(1)
        for isDryRun in [true, false] {
            let error = #expect(throws: StoreError.self) {
                try fixture.collector().sweep(isDryRun: isDryRun, maximumShare: 99)
            }
            #expect(error?.code == .tooMuchToDelete)
            #expect(error?.description.contains("1000 of 1001 contents") == true)
        }
        #expect(files(below: fixture.file("objects")).count == 1_001)
        try expectNoBarrier()
        #expect(try fixture.sweep().contents == 1_000)
        #expect(try fixture.get(content) == content)
    }

    @Test func `Without the folder of keys no content is deleted`() throws {
        try fixture.put(content)
        rename(fixture.file("keys"), fixture.file("aside"))
        let error = #expect(throws: StoreError.self) { try fixture.sweep() }
        #expect(error?.code == .damaged)
        #expect(fixture.hasObject(content))
    }

    @Test func `Where a link may hide keys no content is deleted`() throws {
        try fixture.put(content)
        rename(fixture.file("keys/ns/common"), fixture.file("aside"))
        symlink(fixture.file("aside"), fixture.file("keys/ns/common"))
        #expect(throws: StoreError.self) { try fixture.sweep() }
        #expect(fixture.hasObject(content))
    }

    @Test func `A key that counts as deleted keeps nothing in a dry run`() throws {
        try fixture.put(content)
        try fixture.put(content, namespace: "other")
        var asked: [Int?] = []
        fixture.setModified(try fixture.keyPath(content), to: 1_764_073_800)
        let collector = try fixture.collector()
        let one = try collector.sweep(
            isDryRun: true,
            isDoomed: { candidate in
                guard candidate.key.namespace.description == "ns" else { return false }
                asked.append(try candidate.lastStored())
                return true
            }
        )
        #expect(one.contents == 0 && asked == [1_764_073_800])
        #expect(try collector.sweep(isDryRun: true, isDoomed: { _ in true }).contents == 1)
        #expect(fixture.hasObject(content))
    }

    @Test func `Where a folder of keys can't be read nothing is deleted, and the others stay whole`() throws {
        let kernel = TestKernel()
        let store = try fixture.open(kernel: kernel)
        try fixture.put(content, namespace: "unreadable", prefix: "p")
        try leave(randomPayload(100))
        for folder in [
            "keys/unreadable/custom/p/@\(Digest(of: content).shard)", "keys/unreadable/custom", "keys/unreadable",
            "keys",
        ] {
            kernel.unreadableFolder = folder
            let error = #expect(throws: StoreError.self) { try fixture.collector(of: store).sweep() }
            #expect(error?.description.contains(folder) == true)
            #expect(files(below: fixture.file("objects")).count == 2)
            try expectNoBarrier()
        }
        kernel.unreadableFolder = nil
        #expect(try fixture.collector(of: store).sweep().contents == 1)
        #expect(try fixture.get(content, namespace: "unreadable", prefix: "p") == content)
    }

    @Test func `Where a folder of the trash can't be read nothing is deleted`() throws {
        let kernel = TestKernel()
        let store = try fixture.open(kernel: kernel)
        try fixture.put(content)
        try fixture.store.moveToTrash(fixture.key(content), now: 0)
        kernel.unreadableFolder = "trash/3600/ns/common"
        #expect(throws: StoreError.self) { try fixture.collector(of: store).sweep() }
        kernel.unreadableFolder = "trash"
        #expect(throws: StoreError.self) { try fixture.collector(of: store).sweep() }
        #expect(fixture.hasObject(content))
    }

    @Test func `A shard whose content can't be read is told, and the others are swept`() throws {
        let kernel = TestKernel()
        let store = try fixture.open(kernel: kernel)
        let contents = [0x10, 0x20, 0x30].map { payload(inShard: $0) }
        for content in contents { try leave(content) }
        kernel.unreadableFolder = "objects/20"
        var failures = 0
        #expect(try fixture.collector(of: store).sweep(failed: { _ in failures += 1 }).contents == 2)
        #expect(failures == 1)
        #expect(contents.map(fixture.hasObject) == [false, true, false])
    }

    @Test func `One process collects at a time, and the other is told which`() throws {
        let other = try fixture.open(patience: .milliseconds(200))
        do {
            let collector = try fixture.store.collector()
            let error = #expect(throws: StoreError.self) { try other.collector() }
            #expect(error?.code == .busy && error?.holders == [])
            #expect(error?.description.contains("another process collects garbage: \(getpid())") == true)
            withExtendedLifetime(collector) {}
        }
        #expect(try fixture.collector(of: other).sweep().contents == 0)
    }
}
