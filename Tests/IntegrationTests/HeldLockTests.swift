import DiskStore
import Foundation
import Storage
import TestStores
import TestSupport
import Testing

/// A stopped or frozen process that holds a lock of the store does not block the service.
@Suite(.serialized, .runLimit) struct HeldLockTests {
    @Test(arguments: Stack.Mode.allCases)
    func `Uploads to a locked shard get 503 with Retry-After, and the pool stays available`(mode: Stack.Mode) throws {
        let stack = try Stack(mode, options: ["--threads", "2"])
        let payloads = [payload(inShard: "48"), payload(inShard: "48")]
        let elsewhere = payload(inShard: "49")
        let lock = open("\(stack.store)/locks/48", O_RDWR | O_CLOEXEC)
        #expect(flock(lock, LOCK_EX | LOCK_NB) == 0)
        try concurrently(payloads.count) { index in
            let refused = try stack.put(payloads[index])
            #expect(refused.status == 503, "\(refused.text)")
            #expect(refused.headers["retry-after"] == "5")
            #expect(refused.text == "the store is busy, try again")
        }
        #expect(try stack.request("GET", "/lps/ping").status == 200)
        #expect(try stack.put(elsewhere).status == 201, "other shards are not locked")
        #expect(stack.workerLog.contains("locks/48: held by process \(getpid()) for over 3 s"))
        close(lock)
        for payload in payloads {
            let answer = try stack.put(payload)
            #expect(answer.status == 201)
            #expect(try stack.get(Stack.key(answer), length: payload.count).body == payload)
        }
        try stack.expectNothingIncoming()
    }

    /// Whether a process holds the lock exclusively.
    private func isHeld(_ path: String) throws -> Bool {
        let file = open(path, O_RDWR | O_CLOEXEC)
        try #require(file >= 0)
        defer { close(file) }
        return flock(file, LOCK_SH | LOCK_NB) != 0
    }

    @Test func `Ctrl-Z does not suspend a deletion that uploads wait for`() throws {
        let stack = try Stack()
        let (old, new) = (payload(inShard: "48"), payload(inShard: "48"))
        let key = try stack.store(old)
        try stack.makeOld(key, seconds: 3 * 86_400)
        let lock = "\(stack.store)/locks/48"
        let tracer = Tracer(stack.folder, trace: "unlinkat", inject: "unlinkat:delay_enter=1500000")
        let strace = try tracer.start([Project.binary("lps"), "gc", "--store", stack.store, "--older-than", "2d"])
        try eventually("gc holds the lock") { try isHeld(lock) }
        let lps = try #require(try strace.children().first)
        kill(lps, SIGTSTP)
        // The upload waits for the delayed deletion, not for a SIGCONT, which is never sent.
        #expect(try stack.put(new).status == 201)
        kill(lps, SIGKILL)
        strace.wait()
        #expect(try stack.get(key, length: old.count).status == 404)
        #expect(try stack.lps("gc", "--older-than", "2d").status == 0)
        #expect(stack.objects.count == 1)
    }
}
