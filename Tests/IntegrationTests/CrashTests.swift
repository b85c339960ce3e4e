import Foundation
import TestSupport
import Testing

/// Killed workers lose no acknowledged payload, and leave no partial one.
@Suite(.serialized, .runLimit) struct CrashTests {
    @Test(arguments: Stack.Mode.allCases)
    func `Workers killed repeatedly under load lose no acknowledged payload`(mode: Stack.Mode) throws {
        let stack = try Stack(mode, workers: 2)
        let (taken, done) = (Taken(), Counter())
        try concurrently(9) { index in
            if index == 8 {
                defer { done.add() }
                for _ in 0..<12 {
                    usleep(UInt32.random(in: 5_000...60_000))
                    if let victim = stack.workers.first { stack.stop(victim, SIGKILL) }
                    try stack.startWorkers(1)
                }
                return
            }
            let common = randomPayload(10_000)
            var round = 0
            while done.value == 0 {
                round += 1
                // Repeated content, small content, large content.
                let payload = round % 3 == 0 ? common : randomPayload(round % 3 == 1 ? 1000 : 400_000)
                do {
                    let answer = try stack.put(payload)
                    #expect([201, 200, 503].contains(answer.status))
                    if answer.status != 503 { taken.add(try Stack.key(answer), payload) }
                } catch is HTTPConnection.Broken {}
            }
        }
        #expect(taken.payloads.count > 50, "enough payloads were stored")
        for (key, payload) in taken.payloads {
            let isWhole = try stack.get(key, length: payload.count).body == payload
            #expect(isWhole, "\(key)")
        }
        // Unacknowledged objects are whole, too.
        try stack.expectObjectsWhole()
        // A starting worker removes leftovers that are a day old. nginx may have removed some already.
        let old = timeval(tv_sec: time(nil) - 25 * 60 * 60, tv_usec: 0)
        for name in stack.incoming { utimes("\(stack.store)/incoming/\(name)", [old, old]) }
        try stack.startWorkers(1)
        try stack.expectNothingIncoming()
    }

    @Test func `A request whose worker dies goes to the next worker`() throws {
        let stack = try Stack(workers: 1)
        let payload = randomPayload(1000)
        // The only worker hangs and dies. The request stays in the socket's queue, where the next worker finds it.
        try stack.workers[0].freeze()
        let answered = Counter()
        try concurrently(2) { index in
            if index == 0 {
                if try stack.put(payload).status == 201 { answered.add() }
            } else {
                usleep(200_000)
                stack.stop(stack.workers[0], SIGKILL)
                try stack.startWorkers(1)
            }
        }
        #expect(answered.value == 1)
    }

    @Test func `An object that is not a file is 500, never 404`() throws {
        let stack = try Stack()
        let folder = try stack.store(randomPayload(1000))
        let path = try stack.object(of: folder)
        #expect(unlink(path) == 0 && mkdir(path, 0o700) == 0)
        let answer = try stack.get(folder, length: 1000)
        #expect(answer.status == 500)
        #expect(!answer.text.contains(stack.store), "the answer contains no path of the server")
        #expect(stack.workerLog.contains("is not a regular file"))
    }

    /// nginx can't open it either, and asks the worker again.
    @Test(.enabled(if: geteuid() == 0, "only root can start a worker as another user"))
    func `A payload that neither nginx nor a worker may read is 500, and the worker logs why`() throws {
        let giveAway = "chown -R nobody \"$(dirname \"$3\")\"; exec setpriv --reuid=nobody --clear-groups \"$@\""
        let stack = try Stack(
            launcher: ["/bin/sh", "-c", giveAway, "sh"],
            nginx: { $0.replacingOccurrences(of: "user root;", with: "user nobody nogroup;") }
        )
        let key = try stack.store(randomPayload(1000))
        #expect(try chmod(stack.object(of: key), 0) == 0)
        expectError(try stack.get(key, length: 1000), 500, "the store failed, the worker's log says how", "a download")
        #expect(stack.workerLog.contains("Permission denied"))
    }
}
