import Foundation
import Synchronization
import TestSupport
import Testing

/// Kills a worker just before and just after each system call of a download. The client gets the payload from the next
/// worker, or notices that the download is cut off.
@Suite(.serialized, .runLimit) struct KilledDownloadTests {
    private enum Outcome {
        case whole
        /// Shorter than announced, and correct as far as it goes.
        case cutOff
        case error(Int)
        case wrong
    }

    private func download(_ key: String, _ payload: [UInt8], from stack: Stack) throws -> Outcome {
        let connection = try HTTPConnection(stack.httpSocket)
        // With keep-alive, nginx takes the answer of a dead worker for complete, and the client waits until nginx
        // closes the connection.
        let headers = Stack.getHeaders(length: payload.count).merging(["Connection": "close"]) { $1 }
        try connection.send("GET", Stack.getTarget(key), headers)
        do {
            let answer = try connection.receive()
            guard answer.status == 200 else { return .error(answer.status) }
            return answer.body == payload ? .whole : .wrong
        } catch is HTTPConnection.Broken {
            return .cutOff
        }
    }

    @Test(arguments: Stack.Mode.allCases)
    func `A worker killed around any system call of a download corrupts no download`(mode: Stack.Mode) throws {
        let stack = try Stack(mode, options: ["--threads", "1"])
        let payload = randomPayload(200_000)
        let key = try Stack.key(stack.put(payload))
        let tracer = Tracer(stack.folder, trace: "all")
        let traced = try tracer.attached(to: stack.workers[0]) { try download(key, payload, from: stack) }
        guard case .whole = traced else { throw NeverHappened(what: "a download without a kill") }
        // The thread that opened the payload. A kill while it waits for a connection loses nothing.
        let calls = TracedCall.parse(tracer.take())
        let thread = try #require(calls.first { $0.name == "openat2" }).thread
        let points = calls.filter { $0.thread == thread && $0.name != "epoll_wait" }.map(KillPoint.init)
        var kills = 0
        var cutOff = 0
        for point in points {
            let worker = stack.workers[0]
            let outcome = Mutex<Outcome?>(nil)
            let killing = Tracer(stack.folder, killing: point)
            try killing.attached(to: worker) {
                try concurrently(2) { index in
                    if index == 0 {
                        let result = try download(key, payload, from: stack)
                        return outcome.withLock { $0 = result }
                    }
                    // A supervisor starts the next worker, which finds nginx's retry in the socket's queue.
                    try eventually("the worker is killed or answers") {
                        !worker.isRunning || outcome.withLock { $0 != nil }
                    }
                    if worker.isRunning { usleep(20_000) }
                    guard !worker.isRunning else { return }
                    stack.stop(worker, SIGKILL)
                    try stack.startWorkers(1)
                }
            }
            // The kill may come only after the answer.
            if !worker.isRunning {
                kills += 1
                stack.stop(worker, SIGKILL)
            }
            if stack.workers.isEmpty { try stack.startWorkers(1) }
            switch outcome.withLock({ $0 }) {
            case .whole: break
            // Part of the payload may already be on its way to the client.
            case .cutOff where mode == .plain: cutOff += 1
            case let other: Issue.record("\(point): \(String(describing: other))")
            }
        }
        guard case .whole = try download(key, payload, from: stack) else { throw NeverHappened(what: "a download") }
        print("downloads, \(mode): killed at \(kills) points, \(cutOff) were cut off")
        #expect(kills > points.count / 2, "\(kills) of \(points.count)")
        #expect(mode == .handover || cutOff > 0)
        try stack.expectNothingIncoming()
    }

    @Test func `A download that fails midway closes the connection at once`() throws {
        // If nginx kept the connection, the client would wait for an hour.
        let stack = try Stack(.plain, options: ["--threads", "1"]) {
            $0.replacingOccurrences(of: "    access_log off;", with: "    access_log off; keepalive_timeout 1h;")
        }
        let payload = randomPayload(400_000)
        let key = try Stack.key(stack.put(payload))
        let tracer = Tracer(stack.folder, Fault(call: "pread64", errno: "EIO", occurrence: 4))
        try tracer.attached(to: stack.workers[0]) {
            let connection = try HTTPConnection(stack.httpSocket)
            try connection.send("GET", Stack.getTarget(key), Stack.getHeaders(length: payload.count))
            let broken = try #require(throws: HTTPConnection.Broken.self) { try connection.receive() }
            // Not by the test's own timeout.
            #expect(broken.reason.hasPrefix("closed after"), "\(broken)")
        }
        #expect(tracer.take().contains("INJECTED"))
        let isWhole = try stack.get(key, length: payload.count).body == payload
        #expect(isWhole)
    }
}
