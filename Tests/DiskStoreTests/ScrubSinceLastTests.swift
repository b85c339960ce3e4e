import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

@testable import DiskStore

@Suite(.timeLimit(.minutes(5))) struct ScrubSinceLastTests {
    private let fixture: StoreFixture
    private let old = randomPayload(1_000)
    private let new = randomPayload(20_000)

    init() throws {
        fixture = try StoreFixture()
        try fixture.put(old)
    }

    /// Lets the file system's clock, by which files are stamped, go on: it ticks every few milliseconds.
    private func tick() throws {
        let now = try fixture.store.fileSystemTime()
        try eventually("the file system's clock goes on") { try fixture.store.fileSystemTime() > now }
    }

    /// A scrub of everything that has come to its end, and is over.
    private func completeScrub() throws {
        try tick()
        _ = try fixture.store.scrub { Issue.record("\($0)") }
        try tick()
    }

    private func bytesSinceLast() throws -> UInt64 {
        try fixture.store.scrub(.sinceLast) { Issue.record("\($0)") }.bytes
    }

    @Test func `Without a complete scrub before it, everything is read`() throws {
        #expect(try fixture.store.lastScrub() == nil)
        #expect(try bytesSinceLast() == 1_000)
        let record = try #require(try fixture.store.lastScrub())
        #expect(record.startedFull == record.started, "it has read everything")
    }

    @Test func `What was stored since the last complete scrub is read, what was before is not`() throws {
        try completeScrub()
        #expect(try bytesSinceLast() == 0)
        try fixture.put(new)
        try tick()
        #expect(try bytesSinceLast() == 20_000)
        #expect(try bytesSinceLast() == 0)
    }

    @Test func `What was stored while a scrub ran is read by the next one`() throws {
        try tick()
        var isStored = false
        _ = try fixture.store.scrub(pace: { _ in
            guard !isStored else { return }
            isStored = true
            #expect(throws: Never.self) { try fixture.put(new) }
        }) { Issue.record("\($0)") }
        #expect(try bytesSinceLast() == 20_000)
    }

    @Test func `Old content that was written to, or has new permissions, is read again, not one that got a key`() throws
    {
        try completeScrub()
        try fixture.put(old)
        try fixture.put(old, namespace: "other")
        try tick()
        #expect(try bytesSinceLast() == 0)
        try tick()
        chmod(fixture.objectPath(old), 0o400)
        #expect(try fixture.store.contentToScrub(.sinceLast) == 1_000)
        #expect(try bytesSinceLast() == 1_000)
    }

    @Test func `Content that an upload has revived since the last complete scrub is read`() throws {
        try fixture.put(new)
        try fixture.harm(new)
        _ = try fixture.store.scrub { _ in }
        try completeScrub()
        try fixture.put(new)
        try tick()
        #expect(try bytesSinceLast() == 20_000)
    }

    @Test func `A program that writes into an old payload is found, also when it puts the age back`() throws {
        try completeScrub()
        try fixture.harm(old)
        fixture.setAge(fixture.objectPath(old), seconds: 1_000_000)
        var found: [Finding] = []
        _ = try fixture.store.scrub(.sinceLast) { found.append($0) }
        #expect(found.map { $0.damage?.digest } == [Digest(of: old)])
    }

    @Test(arguments: [ScrubScope.everything, .sinceLast])
    func `A scrub that is interrupted, or fails, does not count`(scope: ScrubScope) throws {
        try completeScrub()
        let before = try fixture.store.lastScrub()
        try fixture.harm(old)
        struct Interrupted: Error {}
        #expect(throws: Interrupted.self) { try fixture.store.scrub(scope) { _ in throw Interrupted() } }
        #expect(try fixture.store.lastScrub() == before)
    }

    @Test func `A scrub since the last one does not count as one of everything`() throws {
        try completeScrub()
        let full = try #require(try fixture.store.lastScrub())
        _ = try bytesSinceLast()
        let record = try #require(try fixture.store.lastScrub())
        #expect(record.started > full.started)
        #expect(record.startedFull == full.started)
    }

    @Test(arguments: ["", "{", "{}", "null", "{\"started\":\"x\"}", "{\"started\":32503680000000000}"])
    func `A record that can't be read, or of a clock that was ahead, lets everything be read`(record: String) throws {
        try completeScrub()
        try write(record.utf8, to: fixture.file("last-scrub.json"))
        #expect(try fixture.store.lastScrub() == nil, "lps scrub must not say that it goes by it")
        #expect(try bytesSinceLast() == 1_000)
        try tick()
        #expect(try bytesSinceLast() == 0, "and it is written anew")
    }

    @Test func `The record belongs to the store, and nothing else is left of it`() throws {
        try completeScrub()
        #expect(try fixture.store.strayFiles().isEmpty)
        #expect(files(below: fixture.file("incoming")).isEmpty)
        #expect(fixture.status(fixture.file("last-scrub.json"))?.mode == 0o640)
    }
}
