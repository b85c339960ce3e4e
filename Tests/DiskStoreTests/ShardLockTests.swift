import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

@testable import DiskStore

/// What a process does whose shard another one has locked.
@Suite(.timeLimit(.minutes(5))) struct ShardLockTests {
    private let fixture: StoreFixture
    /// The store as a process has it that does not wait for long.
    private let impatient: DiskStore
    private let content = payload(inShard: 0xAB)

    init() throws {
        fixture = try StoreFixture()
        impatient = try fixture.open(patience: .milliseconds(200))
    }

    /// Locks a file of `locks/` until it is closed.
    private func hold(_ name: String, _ kind: Int32) -> Int32 {
        let file = open(fixture.file("locks/\(name)"), O_RDWR | O_CLOEXEC)
        #expect(flock(file, kind | LOCK_NB) == 0)
        return file
    }

    private func expectBusy(location: SourceLocation = #_sourceLocation, _ work: () throws -> some Any) {
        let error = #expect(throws: StoreError.self, sourceLocation: location) { _ = try work() }
        #expect(error?.code == .busy, sourceLocation: location)
        #expect(error?.holders == [getpid()], sourceLocation: location)
        let text = error?.description ?? ""
        #expect(text.contains("locks/ab") && text.contains("process \(getpid())"), "\(text)", sourceLocation: location)
    }

    @Test func `An upload to a shard that another process has locked fails, names it, and leaves nothing`() throws {
        let key = try fixture.key(content)
        let lock = hold("ab", LOCK_EX)
        expectBusy { try impatient.put(content, key) }
        #expect(try fixture.get(content) == nil)
        #expect(files(below: fixture.file("incoming")).isEmpty)
        let elsewhere = payload(inShard: 0xAC)
        #expect(try impatient.put(elsewhere, fixture.key(elsewhere)) == .created)
        close(lock)
        #expect(try impatient.put(content, key) == .created)
        #expect(try fixture.get(content) == content)
    }

    @Test func `Downloads wait for no lock`() throws {
        try fixture.put(content)
        let lock = hold("ab", LOCK_EX)
        defer { close(lock) }
        #expect(try fixture.get(content) == content)
        #expect(try fixture.store.find(fixture.key(content)) != nil)
    }

    @Test func `A deletion, a restoration and a sweep of a shard with an upload under way fail in time, too`() throws {
        for namespace in ["ns", "trashed"] { try fixture.put(content, namespace: namespace) }
        try fixture.store.moveToTrash(fixture.key(content, namespace: "trashed"))
        let trashed = try #require(try fixture.store.trashed(fixture.key(content, namespace: "trashed")).first)
        let key = try fixture.key(content)
        let lock = hold("ab", LOCK_SH)
        expectBusy { try impatient.remove(key) }
        expectBusy { try impatient.moveToTrash(key) }
        expectBusy { try impatient.undelete(trashed) }
        expectBusy { try impatient.purge(trashed) }
        expectBusy { try fixture.collector(of: impatient).sweep() }
        close(lock)
        #expect(try fixture.get(content) == content)
        #expect(try impatient.undelete(trashed) == .undeleted)
        #expect(try fixture.collector(of: impatient).sweep().contents == 0)
        #expect(try impatient.remove(key) != nil)
    }

    @Test func `An upload that is released in time succeeds`() throws {
        let patient = try fixture.open(patience: .seconds(60))
        let lock = hold("ab", LOCK_EX)
        let (fixture, content) = (fixture, content)
        try concurrently(2) { index in
            if index == 0 {
                try patient.put(content, fixture.key(content))
            } else {
                usleep(50_000)
                close(lock)
            }
        }
        #expect(try fixture.get(content) == content)
    }

    @Test func `Uploads to one shard do not exclude each other`() throws {
        let lock = hold("ab", LOCK_SH)
        defer { close(lock) }
        #expect(try impatient.put(content, fixture.key(content)) == .created)
    }

    @Test func `Uploads that overlap without end do not keep an exclusive lock from its turn`() throws {
        let (store, digest) = (fixture.store, Digest(of: content))
        let done = Counter()
        try concurrently(4) { index in
            guard index > 0 else {
                defer { done.add() }
                for _ in 0..<5 { try store.withExclusiveLock(of: digest.firstByte) {} }
                return
            }
            while done.value == 0 { try store.withSharedLock(of: digest) { _ = usleep(20_000) } }
        }
        #expect(done.value == 1)
    }
}
