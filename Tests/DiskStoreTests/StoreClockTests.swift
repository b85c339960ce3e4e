import Foundation
import PayloadKey
import Storage
import TestStores
import TestSupport
import Testing

@testable import DiskStore

/// The recorded time, and the clocks that it rules out.
@Suite(.runLimit) struct StoreClockTests {
    private let kernel = TestKernel()
    private let disk: TestStore
    private let content = Array("a payload".utf8)
    private static let day = 86_400

    init() throws { disk = try TestStore(kernel: kernel) }

    private func recorded() throws -> Int { try #require(disk.status(disk.file("clock"))).modified }

    private func setRecorded(secondsAgo seconds: Int) { disk.setAge(disk.file("clock"), seconds: seconds) }

    private func lastStored(_ key: PayloadKey) throws -> Int { try #require(try disk.store.find(key)).lastStored }

    private func expectNotTrusted() { #expect(throws: StoreError.self) { try disk.store.checkClock() } }

    @Test(arguments: [
        (0, true), (3 * day - 60, true), (3 * day + 60, false), (400 * day, false), (-60, false), (-day, false),
    ])
    func `A clock is trusted up to three days after the recorded time, never before it`(
        secondsAgo: Int,
        isTrusted: Bool
    ) throws {
        try disk.store.checkClock()
        setRecorded(secondsAgo: secondsAgo)
        if isTrusted { return try disk.store.checkClock() }
        let error = try #require(throws: StoreError.self) { try disk.store.checkClock() }
        #expect(error.code == .clockNotTrusted)
        #expect(error.description.contains(UTC.text(time(nil) - secondsAgo).prefix(10)), "\(error)")
    }

    @Test func `Without a recorded time, no clock is trusted`() throws {
        unlink(disk.file("clock"))
        let error = #expect(throws: StoreError.self) { try disk.store.checkClock() }
        #expect(error?.code == .clockNotTrusted)
        try disk.store.recordTime()
        try disk.store.checkClock()
    }

    @Test func `A key stored while the clock is behind the recorded time is dated with the recorded time`() throws {
        setRecorded(secondsAgo: -1000)
        let before = try recorded()
        let key = try disk.put(content)
        #expect(try lastStored(key) == before && recorded() == before)
        try disk.makeOld(key, days: 1)
        #expect(try disk.commit(content) == .existed)
        #expect(try lastStored(key) == before, "after a renewal, too")
        try disk.store.moveToTrash(key)
        _ = try disk.store.undelete(disk.trashed()[0])
        #expect(try lastStored(key) == before, "after a restoration, too")
    }

    @Test func `A machine that starts with a clock years behind stores nothing that looks old`() throws {
        let before = time(nil)
        kernel.secondsAhead = -1000 * Self.day
        #expect(try lastStored(disk.put(content)) >= before - 60)
        expectNotTrusted()
    }

    @Test func `A clock that jumps ahead is not trusted until its time is recorded`() throws {
        kernel.secondsAhead = 10 * Self.day
        expectNotTrusted()
        try disk.store.recordTime()
        try disk.store.checkClock()
        kernel.secondsAhead = 0
        expectNotTrusted()
    }

    @Test func `Trusting the clock records its time, even if a later time was recorded`() throws {
        setRecorded(secondsAgo: -1000)
        try disk.put(content)
        try disk.store.trustClock()
        try disk.store.checkClock()
        #expect(try recorded() <= time(nil))
        #expect(try lastStored(disk.put(content)) <= time(nil))
    }

    @Test func `The recorded time only moves forward`() throws {
        let clock = disk.store.clock
        for secondsAhead in [0, 5000, 1000, -Self.day, 6000, 5999] {
            let before = try recorded()
            kernel.secondsAhead = secondsAhead
            let result = try clock.record()
            #expect(try result >= before && abs(recorded() - result) <= 1)
            _ = try clock.stamp()
            #expect(try recorded() >= before)
        }
        #expect(try recorded() >= time(nil) + 5900)
    }

    @Test func `Setting the clock back while its time is recorded does not move the recorded time back`() throws {
        setRecorded(secondsAgo: 100)
        let before = try recorded()
        kernel.jumpOnceRead(to: -Self.day)
        try disk.store.recordTime()
        #expect(try recorded() >= before)
    }

    @Test func `Uploads record the time at most every ten minutes`() throws {
        setRecorded(secondsAgo: 2 * Self.day)
        try disk.put(content)
        let first = try recorded()
        #expect(first > time(nil) - 60)
        kernel.pass(StoreClock.interval / 2)
        try disk.put(content)
        #expect(try recorded() == first)
        kernel.pass(StoreClock.interval)
        try disk.put(content)
        #expect(try recorded() >= first + StoreClock.interval)
    }

    @Test func `A clock that jumps far ahead while a process runs is logged, and its time is not recorded`() throws {
        try disk.put(content)
        let before = try recorded()
        kernel.secondsAhead = 4 * Self.day
        kernel.pass(StoreClock.interval)
        try disk.put(content)
        #expect(try recorded() == before)
        #expect(disk.log.text.contains("system clock jumped ahead"))
        expectNotTrusted()
        kernel.secondsAhead = 0
        try disk.store.checkClock()
    }

    @Test func `The time is recorded after a small jump of the clock, or after a long idle time`() throws {
        try disk.put(content)
        let before = try recorded()
        kernel.secondsAhead = 2 * Self.day
        kernel.pass(StoreClock.interval)
        try disk.put(content)
        #expect(try recorded() >= before + 2 * Self.day)
        kernel.pass(30 * Self.day)
        try disk.put(content)
        #expect(try recorded() >= before + 32 * Self.day)
    }

    @Test func `A worker's health check records the time`() throws {
        setRecorded(secondsAgo: 10 * Self.day)
        try disk.store.checkHealth()
        try disk.store.checkClock()
    }
}
