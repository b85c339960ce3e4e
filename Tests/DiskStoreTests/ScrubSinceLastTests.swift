import Foundation
import PayloadKey
import Storage
import TestStores
import TestSupport
import Testing

@testable import DiskStore

@Suite(.runLimit) struct ScrubSinceLastTests {
    private let disk: TestStore
    private let old = randomPayload(1_000)
    private let new = randomPayload(20_000)

    init() throws {
        disk = try TestStore()
        try disk.put(old)
    }

    /// Waits for the next tick of the clock that stamps files; it ticks every few milliseconds.
    private func tick() throws {
        let now = try disk.store.fileSystemTime()
        try eventually("the file system's clock advances") { try disk.store.fileSystemTime() > now }
    }

    /// Scrubs everything; nothing else happens in the same tick.
    private func completeScrub() throws {
        try tick()
        _ = try disk.store.scrub { Issue.record("\($0)") }
        try tick()
    }

    private func bytesSinceLast() throws -> UInt64 {
        try disk.store.scrub(.sinceLast) { Issue.record("\($0)") }.bytes
    }

    @Test func `Without a previous complete scrub, everything is read`() throws {
        #expect(try disk.store.lastScrub() == nil)
        #expect(try bytesSinceLast() == 1_000)
        let record = try #require(try disk.store.lastScrub())
        #expect(record.startedFull == record.started, "everything was read")
        #expect(disk.status(disk.file("last-scrub.json"))?.mode == 0o640)
        #expect(try disk.strayFiles().isEmpty && files(below: disk.file("incoming")).isEmpty)
    }

    @Test func `Only content stored since the last complete scrub is read`() throws {
        try completeScrub()
        let full = try #require(try disk.store.lastScrub())
        #expect(try bytesSinceLast() == 0)
        try disk.put(new)
        try tick()
        #expect(try bytesSinceLast() == 20_000)
        #expect(try bytesSinceLast() == 0)
        let record = try #require(try disk.store.lastScrub())
        #expect(record.started > full.started && record.startedFull == full.started, "not everything was read")
    }

    @Test func `Content stored during a scrub is read by the next one`() throws {
        try tick()
        var isStored = false
        _ = try disk.store.scrub(pace: { _ in
            guard !isStored else { return }
            isStored = true
            #expect(throws: Never.self) { try disk.put(new) }
        }) { Issue.record("\($0)") }
        #expect(try bytesSinceLast() == 20_000)
    }

    @Test func `Old content is read again if its file changed, but not if it only got a key`() throws {
        try completeScrub()
        try disk.put(old)
        try disk.put(old, "other")
        try tick()
        #expect(try bytesSinceLast() == 0)
        try tick()
        chmod(disk.objectFile(old), 0o400)
        #expect(try disk.store.contentToScrub(.sinceLast) == 1_000)
        #expect(try bytesSinceLast() == 1_000)
    }

    @Test func `Content that an upload replaced since the last complete scrub is read`() throws {
        try disk.put(new)
        try disk.harm(new)
        _ = try disk.store.scrub { _ in }
        try completeScrub()
        try disk.put(new)
        try tick()
        #expect(try bytesSinceLast() == 20_000)
    }

    @Test func `A change to an old object is detected, even if its modification time is set back`() throws {
        try completeScrub()
        try disk.harm(old)
        disk.setAge(disk.objectFile(old), seconds: 1_000_000)
        var found: [Finding] = []
        _ = try disk.store.scrub(.sinceLast) { found.append($0) }
        #expect(found.map { $0.damage?.digest } == [Digest(of: old)])
    }

    @Test(arguments: [ScrubScope.everything, .sinceLast])
    func `An interrupted scrub does not count`(scope: ScrubScope) throws {
        try completeScrub()
        let before = try disk.store.lastScrub()
        try disk.harm(old)
        struct Interrupted: Error {}
        #expect(throws: Interrupted.self) { try disk.store.scrub(scope) { _ in throw Interrupted() } }
        #expect(try disk.store.lastScrub() == before)
    }

    @Test(arguments: ["", "{", "{}", "null", "{\"started\":\"x\"}", "{\"started\":32503680000000000}"])
    func `If the scrub record is unreadable or in the future, everything is read`(record: String) throws {
        try completeScrub()
        try write(record.utf8, to: disk.file("last-scrub.json"))
        #expect(try disk.store.lastScrub() == nil, "lps scrub does not report an invalid record")
        #expect(try bytesSinceLast() == 1_000)
        try tick()
        #expect(try bytesSinceLast() == 0, "the record was replaced")
    }
}
