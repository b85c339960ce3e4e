import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

@testable import DiskStore

/// Whether ages can be trusted.
@Suite(.timeLimit(.minutes(5))) struct StoreClockTests {
    private let kernel = TestKernel()
    private let fixture: StoreFixture
    private let content = Array("a payload".utf8)
    private static let day = 86_400

    init() throws {
        fixture = try StoreFixture(kernel: kernel)
    }

    private var recorded: Int? { fixture.status(fixture.file("clock"))?.modified }

    private func setRecorded(secondsAgo seconds: Int) {
        fixture.setAge(fixture.file("clock"), seconds: seconds)
    }

    private func lastStored(_ content: [UInt8]) throws -> Int {
        try #require(try fixture.store.find(fixture.key(content))).lastStored
    }

    @Test func `A new store's clock is trusted`() throws {
        try fixture.store.checkClock()
    }

    @Test(arguments: [
        (0, true), (3 * day - 60, true), (3 * day + 60, false), (400 * day, false), (-60, false), (-day, false),
    ])
    func `A clock is trusted up to three days after the recorded time, and never before it`(
        secondsAgo: Int,
        isTrusted: Bool
    ) throws {
        setRecorded(secondsAgo: secondsAgo)
        if isTrusted { return try fixture.store.checkClock() }
        let error = try #require(throws: StoreError.self) { try fixture.store.checkClock() }
        #expect(error.code == .clockNotTrusted)
        let time = UTC.text(Int(Date().timeIntervalSince1970) - secondsAgo).prefix(10)
        #expect(error.description.contains(time), "\(error)")
    }

    @Test func `Without a recorded time no clock is trusted, until one is recorded`() throws {
        unlink(fixture.file("clock"))
        let error = #expect(throws: StoreError.self) { try fixture.store.checkClock() }
        #expect(error?.code == .clockNotTrusted)
        try fixture.store.recordTime()
        try fixture.store.checkClock()
    }

    @Test func `What is stored while the clock is behind the recorded time gets that time as its age`() throws {
        setRecorded(secondsAgo: -1000)
        let recorded = try #require(recorded)
        try fixture.put(content)
        #expect(try lastStored(content) == recorded)
        #expect(self.recorded == recorded)
        fixture.setAge(try fixture.keyPath(content), seconds: 5000)
        #expect(try fixture.put(content) == .existed)
        #expect(try lastStored(content) == recorded, "what is renewed, too")
        try fixture.store.moveToTrash(fixture.key(content))
        _ = try fixture.store.undelete(#require(try fixture.store.trashed(fixture.key(content)).first))
        #expect(try lastStored(content) == recorded, "and what is restored")
    }

    @Test func `A machine that starts with a clock of years ago stores nothing that looks old`() throws {
        let before = Int(Date().timeIntervalSince1970)
        kernel.secondsAhead = -1000 * Self.day
        try fixture.put(content)
        #expect(try lastStored(content) >= before - 60)
        #expect(throws: StoreError.self) { try fixture.store.checkClock() }
    }

    @Test func `A clock that jumps ahead is not trusted until its time is recorded`() throws {
        kernel.secondsAhead = 10 * Self.day
        #expect(throws: StoreError.self) { try fixture.store.checkClock() }
        try fixture.store.recordTime()
        try fixture.store.checkClock()
        kernel.secondsAhead = 0
        #expect(throws: StoreError.self) { try fixture.store.checkClock() }
    }

    @Test func `An operator who trusts the clock has its time recorded, also when a newer one was`() throws {
        setRecorded(secondsAgo: -1000)
        try fixture.put(content)
        try fixture.store.trustClock()
        try fixture.store.checkClock()
        #expect(try #require(recorded) <= time(nil))
        try fixture.put(content)
        #expect(try lastStored(content) <= time(nil))
    }

    @Test func `The recorded time only moves forward`() throws {
        let clock = fixture.store.clock
        for secondsAhead in [0, 5000, 1000, -Self.day, 6000, 5999] {
            let before = try #require(recorded)
            kernel.secondsAhead = secondsAhead
            let result = try clock.record()
            #expect(result >= before)
            #expect(recorded.map { abs($0 - result) <= 1 } == true)
            _ = try clock.stamp()
            #expect(try #require(recorded) >= before)
        }
        #expect(try #require(recorded) >= time(nil) + 5900)
    }

    @Test func `A clock that is set back while its time is recorded does not move the recorded time back`() throws {
        setRecorded(secondsAgo: 100)
        let before = try #require(recorded)
        kernel.secondsAheadOnceRead = -Self.day
        try fixture.store.recordTime()
        #expect(try #require(recorded) >= before)
    }

    @Test func `A process that stores records the time every ten minutes, not each time`() throws {
        setRecorded(secondsAgo: 2 * Self.day)
        try fixture.put(content)
        let first = try #require(recorded)
        #expect(first > time(nil) - 60)
        kernel.pass(StoreClock.interval / 2)
        try fixture.put(content)
        #expect(recorded == first)
        kernel.pass(StoreClock.interval)
        try fixture.put(content)
        #expect(try #require(recorded) >= first + StoreClock.interval)
    }

    @Test func `A clock that jumps far ahead while a process runs is not recorded, and logged`() throws {
        try fixture.put(content)
        let before = try #require(recorded)
        kernel.secondsAhead = 4 * Self.day
        kernel.pass(StoreClock.interval)
        try fixture.put(content)
        #expect(recorded == before)
        #expect(fixture.log.text.contains("has jumped ahead"))
        #expect(throws: StoreError.self) { try fixture.store.checkClock() }
        kernel.secondsAhead = 0
        try fixture.store.checkClock()
    }

    @Test func `A clock that jumps ahead by less, or a process that is idle for long, is recorded`() throws {
        try fixture.put(content)
        let before = try #require(recorded)
        kernel.secondsAhead = 2 * Self.day
        kernel.pass(StoreClock.interval)
        try fixture.put(content)
        #expect(try #require(recorded) >= before + 2 * Self.day)
        kernel.pass(30 * Self.day)
        try fixture.put(content)
        #expect(try #require(recorded) >= before + 32 * Self.day)
    }

    @Test func `A check of a worker's health records the time, too`() throws {
        setRecorded(secondsAgo: 10 * Self.day)
        try fixture.store.checkHealth()
        try fixture.store.checkClock()
    }
}
