import Foundation
import PayloadKey
import Storage
import TestStores
import TestSupport
import Testing

@testable import DiskStore

/// Operations on a shard that another process has locked.
@Suite(.runLimit) struct ShardLockTests {
    private let disk: TestStore
    /// The same store in a process that waits only briefly.
    private let impatient: DiskStore
    private let content = payload(inShard: "ab")
    private let key: PayloadKey

    init() throws {
        disk = try TestStore()
        impatient = try disk.open(patience: .milliseconds(200))
        key = try payloadKey(content)
    }

    /// Locks a shard until the returned file is closed.
    private func hold(_ kind: Int32) -> Int32 {
        let file = open(disk.file("locks/ab"), O_RDWR | O_CLOEXEC)
        #expect(flock(file, kind | LOCK_NB) == 0)
        return file
    }

    private func expectBusy(location: SourceLocation = #_sourceLocation, _ work: () throws -> some Any) {
        let error = #expect(throws: StoreError.self, sourceLocation: location) { _ = try work() }
        #expect(error?.code == .busy && error?.holders == [getpid()], sourceLocation: location)
        let text = error?.description ?? ""
        #expect(text.contains("locks/ab") && text.contains("process \(getpid())"), "\(text)", sourceLocation: location)
    }

    @Test func `An upload to a shard that another process locks fails, names the process and leaves nothing`() throws {
        let lock = hold(LOCK_EX)
        expectBusy { try impatient.put(content, as: key) }
        #expect(try disk.get(key) == nil)
        #expect(files(below: disk.file("incoming")).isEmpty)
        let elsewhere = payload(inShard: "ac")
        #expect(try impatient.put(elsewhere, as: payloadKey(elsewhere)) == .created)
        close(lock)
        #expect(try impatient.put(content, as: key) == .created)
        #expect(try disk.get(key) == content)
    }

    @Test func `Downloads wait for no lock, and uploads to the same shard run in parallel`() throws {
        let uploading = hold(LOCK_SH)
        #expect(try impatient.put(content, as: key) == .created)
        close(uploading)
        let lock = hold(LOCK_EX)
        defer { close(lock) }
        #expect(try disk.get(key) == content)
        #expect(try disk.store.find(key) != nil)
    }

    @Test func `A deletion, restoration or sweep of a shard with an unfinished upload times out`() throws {
        try disk.put(content)
        try disk.store.moveToTrash(disk.put(content, "trashed"))
        let trashed = try #require(disk.trashed().first)
        let lock = hold(LOCK_SH)
        expectBusy { try impatient.remove(key) }
        expectBusy { try impatient.moveToTrash(key) }
        expectBusy { try impatient.undelete(trashed) }
        expectBusy { try impatient.purge(trashed) }
        expectBusy { try disk.collector(of: impatient).sweep() }
        close(lock)
        #expect(try disk.get(key) == content)
        #expect(try impatient.undelete(trashed) == .undeleted)
        #expect(try disk.collector(of: impatient).sweep().contents == 0)
        #expect(try impatient.remove(key) != nil)
    }

    @Test func `An upload succeeds if the lock is released in time`() throws {
        let patient = try disk.open(patience: .seconds(60))
        let lock = hold(LOCK_EX)
        try concurrently(2) { [content, key] index in
            if index == 0 {
                try patient.put(content, as: key)
            } else {
                usleep(50_000)
                close(lock)
            }
        }
        #expect(try disk.get(key) == content)
    }

    @Test func `Continuous uploads do not starve an exclusive lock`() throws {
        let (store, digest) = (disk.store, key.digest)
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
