import Foundation
import TestSupport
import Testing

/// Workers that are killed at any moment lose nothing that was answered, and leave nothing that is ever served.
@Suite(.serialized, .runLimit) struct CrashTests {
    private struct Stored: Sendable {
        let key: String
        let payload: [UInt8]
    }

    private final class Ledger: @unchecked Sendable {
        // Guarded by the lock.
        private var stored: [Stored] = []
        private var failures = 0
        private let lock = NSLock()

        func add(_ entry: Stored) { lock.withLock { stored.append(entry) } }
        func addFailure() { lock.withLock { failures += 1 } }
        var all: [Stored] { lock.withLock { stored } }
        var failed: Int { lock.withLock { failures } }
    }

    @Test(arguments: Stack.Mode.allCases)
    func `Workers killed again and again under load lose no answered payload`(mode: Stack.Mode) throws {
        let stack = try Stack(mode, workers: 2)
        let ledger = Ledger()
        let kills = 40
        let done = Counter()
        try concurrently(9) { index in
            if index == 8 {
                defer { done.add() }
                for _ in 0..<kills {
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
                // Old content, small content, large content.
                let payload = round % 3 == 0 ? common : randomPayload(round % 3 == 1 ? 1000 : 400_000)
                do {
                    let answer = try stack.put(payload)
                    if answer.status == 201 || answer.status == 200 {
                        ledger.add(Stored(key: try Stack.key(answer), payload: payload))
                    } else {
                        #expect(answer.status == 503)
                        ledger.addFailure()
                    }
                } catch is HTTPConnection.Broken {
                    ledger.addFailure()
                }
            }
        }
        let stored = ledger.all
        print("\(mode): \(kills) workers killed, \(stored.count) uploads answered, \(ledger.failed) not")
        #expect(stored.count > 50, "the load was a load")
        for entry in stored {
            let fetched = try stack.get(entry.key, length: entry.payload.count)
            let isWhole = fetched.body == entry.payload
            #expect(isWhole, "\(entry.key)")
        }
        // Whatever else is in the tree is whole, too: nothing half-done has a name.
        try stack.expectObjectsWhole()
        try expectLeftoversAreSwept(stack)
    }

    private func expectLeftoversAreSwept(_ stack: Stack) throws {
        for name in stack.incoming {
            let path = "\(stack.store)/incoming/\(name)"
            // One of nginx's may be gone by now.
            let old = timeval(tv_sec: time(nil) - 25 * 60 * 60, tv_usec: 0)
            utimes(path, [old, old])
        }
        try stack.startWorkers(1)
        try stack.expectNothingIncoming()
    }

    @Test(arguments: Stack.Mode.allCases)
    func `A worker killed before any system call of an upload leaves a sound store`(mode: Stack.Mode) throws {
        let stack = try Stack(mode)
        let calls = [
            "openat2", "fstat", "newfstatat", "flock", "mkdirat", "fchmod", "fdatasync", "linkat", "fsync", "unlinkat",
            "close", "read", "write", "pread64",
        ]
        var kills: [String: Int] = [:]
        for call in calls {
            for occurrence in 1...40 {
                let payload = randomPayload(5000)
                let namespace = "\(call)-\(occurrence)"
                guard let answer = try upload(payload, namespace, to: stack, killedBefore: call, occurrence) else {
                    break
                }
                kills[call, default: 0] += 1
                let digest = Stack.digest(payload)
                let key = "/blobs/\(namespace)/common/\(digest)/\(Stack.digest([]))"
                let fetched = try stack.get(key, length: payload.count)
                let isWhole = fetched.body == payload
                let isAnswered = answer.hasPrefix("Status: 201")
                #expect(isWhole || !isAnswered && fetched.status == 404, "\(call) \(occurrence): \(fetched.status)")
                #expect([200, 201].contains(try stack.put(payload, namespace: namespace).status))
                let isWholeNow = try stack.get(key, length: payload.count).body == payload
                #expect(isWholeNow)
            }
        }
        print("uploads, \(mode): killed at \(kills.values.reduce(0, +)) points")
        let steps: Set = ["flock", "mkdirat", "fchmod", "fdatasync", "linkat", "fsync", "openat2"]
        #expect(steps.subtracting(kills.keys).isEmpty, "killed before each step of a commit: \(kills)")
        try expectLeftoversAreSwept(stack)
    }

    /// Uploads through a worker that strace(1) kills at a system call: what it answered; `nil` when it lived.
    private func upload(
        _ payload: [UInt8],
        _ namespace: String,
        to stack: Stack,
        killedBefore call: String,
        _ occurrence: Int
    ) throws -> String? {
        let socket = stack.folder.file("k.sock")
        unlink(socket)
        let log = stack.folder.file("killed-\(UUID().uuidString).log")
        let worker = try ChildProcess(
            Project.binary("lps-worker"),
            ["--store", stack.store, "--listen", socket, "--threads", "1"],
            log: log
        )
        try eventually("the worker serves: \(worker.log)") { worker.log.contains("msg=serving") }
        // Attached when the start is over, so that the first call it counts is one of the upload.
        let strace = try ChildProcess(
            "strace",
            [
                "-f", "-p", "\(worker.pid)", "-o", "/dev/null", "-e", "trace=\(call)", "-e",
                "inject=\(call):signal=KILL:when=\(occurrence)",
            ],
            log: log + ".strace"
        )
        try eventually("strace is attached: \(strace.log)") { strace.log.contains("attached with ") }
        let answer = try stack.putThroughFastCGI(payload, namespace: namespace, socket)
        // Without an answer it was killed; after one it may be, at one of the calls that close the connection.
        let end = Date().addingTimeInterval(answer.isEmpty ? 60 : 0.2)
        while worker.isRunning, Date() < end { usleep(5000) }
        let isKilled = !worker.isRunning
        worker.signal(SIGKILL)
        return isKilled ? answer : nil
    }

    @Test func `A request whose worker dies is given to the next one`() throws {
        let stack = try Stack(workers: 1)
        let payload = randomPayload(1000)
        // The only worker is stopped, takes the request from the queue never, and dies; a second one finds it there.
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

    @Test func `A payload whose file can't be read is the store's fault, never not found`() throws {
        let stack = try Stack()
        let payload = randomPayload(1000)
        let key = try Stack.key(stack.put(payload))
        let path = try stack.object(of: key)
        unlink(path)
        mkdir(path, 0o700)
        let answer = try stack.get(key, length: 1000)
        #expect(answer.status == 500)
        #expect(!answer.text.contains(stack.store), "no path of the server is told")
        #expect(stack.workerLog.contains("is not a regular file"))
    }

    @Test(.enabled(if: geteuid() == 0, "only root can start a worker as another user"))
    func `A worker that may not read a payload says so, never not found`() throws {
        let stack = try Stack()
        let payload = randomPayload(1000)
        let key = try Stack.key(stack.put(payload))
        let path = try stack.object(of: key)
        #expect(try run("chown", ["-R", "nobody", stack.store]).status == 0)
        #expect(chmod(path, 0) == 0)
        chmod(stack.folder.path, 0o777)
        let socket = stack.folder.file("nobody.sock")
        let arguments = [
            "--reuid=nobody", "--clear-groups", Project.binary("lps-worker"), "--store", stack.store, "--listen",
            socket,
        ]
        let worker = try ChildProcess("setpriv", arguments, log: stack.folder.file("nobody.log"))
        try eventually("the worker serves: \(worker.log)") { worker.log.contains("msg=serving") }
        let client = try FastCGIClient(socket)
        let parameters = Stack.getParameters(key, length: 1000).merging(["LPS_ACCEL_PREFIX": "/lps-internal"]) { $1 }
        client.send(FastCGIClient.head(parameters))
        #expect(client.receiveAnswer().hasPrefix("Status: 500 "))
        #expect(worker.log.contains("Permission denied"))
    }
}
