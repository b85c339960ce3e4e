import Foundation
import TestSupport
import Testing

/// The configuration file: checked before use, and reloaded on SIGHUP.
@Suite(.serialized, .runLimit) struct ReloadTests {
    private let folder: TemporaryFolder
    private let store: String
    private let file: String

    init() throws {
        folder = try TemporaryFolder()
        store = folder.file("store")
        file = folder.file("lps.conf")
        #expect(try run(Project.binary("lps"), ["init", "--store", store]).status == 0)
    }

    private func write(_ text: String) throws {
        try text.write(toFile: file, atomically: true, encoding: .utf8)
    }

    @Test func `SIGHUP applies changed settings, and logs those that need a restart`() throws {
        try write("LPS_MAX_PAYLOAD=1k\n")
        let stack = try Stack(options: ["--config", file])
        let payload = randomPayload(2000)
        #expect(try stack.put(payload).status == 413)

        try write("LPS_MAX_PAYLOAD=4k\nLPS_THREADS=3\nLPS_LOG_LEVEL=error\n")
        let worker = try #require(stack.workers.first)
        worker.signal(SIGHUP)
        try eventually("the new limit applies") { try stack.put(payload).status == 201 }
        #expect(stack.workerLog.contains(#"msg="changed setting needs a restart" setting=LPS_THREADS"#))
        // The new log level drops notices.
        #expect(try stack.put(payload, digest: Stack.digest([0])).status == 400)
        #expect(!stack.workerLog.contains("upload does not match its digest or length"))
    }

    @Test func `An invalid configuration changes nothing`() throws {
        try write("LPS_MAX_PAYLOAD=1k\n")
        let stack = try Stack(options: ["--config", file])
        try write("LPS_MAX_PAYLOAD=many\n")
        try #require(stack.workers.first).signal(SIGHUP)
        try eventually("the worker logs the failure") {
            stack.workerLog.contains("reload failed, configuration unchanged")
        }
        #expect(stack.workerLog.contains("LPS_MAX_PAYLOAD) is 'many', expected a size"))
        #expect(try stack.put(randomPayload(2000)).status == 413)
        #expect(try stack.put(randomPayload(1000)).status == 201)
    }

    @Test func `A reload under load fails no request`() throws {
        try write("")
        let stack = try Stack(workers: 2, options: ["--config", file])
        let done = Counter()
        try concurrently(5) { client in
            if client == 4 {
                defer { done.add() }
                for number in 1...20 {
                    try self.write("LPS_SLOW_LOG_AFTER=\(number)s\n")
                    for worker in stack.workers {
                        worker.signal(SIGHUP)
                        try eventually("the worker has reloaded") {
                            worker.count("configuration reloaded") == number
                        }
                    }
                }
                return
            }
            var number = 0
            while done.value == 0 {
                number += 1
                let status = try stack.put(Array("\(client) \(number)".utf8)).status
                #expect(status == 201)
            }
        }
    }

    // MARK: systemd

    @Test func `The worker pings systemd's watchdog while threads are free, and announces a reload`() throws {
        try write("")
        let notify = try NotifySocket(folder.file("notify.sock"))
        let worker = try LoneWorker(
            folder,
            ["--config", file],
            environment: ["NOTIFY_SOCKET": notify.path, "WATCHDOG_USEC": "200000"]
        )
        var heard: [String] = []
        try eventually("the worker is ready and alive: \(heard)") {
            heard.append(notify.receive())
            return heard.contains("READY=1") && heard.count { $0 == "WATCHDOG=1" } >= 3
        }
        worker.process.signal(SIGHUP)
        heard = []
        try eventually("the worker announces the reload") {
            heard.append(notify.receive())
            return heard.contains("READY=1")
        }
        #expect(heard.contains("RELOADING=1"))
        worker.stop()
    }
}
