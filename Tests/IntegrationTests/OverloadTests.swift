import Foundation
import Synchronization
import TestSupport
import Testing

/// More clients at once than the workers can serve.
@Suite(.serialized, .runLimit) struct OverloadTests {
    private static let clients = 500

    /// A client's request, by the client's number.
    private enum Request: Sendable {
        case upload, download, health

        init(_ client: Int) { self = [.upload, .upload, .download, .download, .health][client % 5] }
    }

    /// 500 clients, and a stored payload for them to fetch.
    private final class Crowd: Sendable {
        let stack: Stack
        let stored = randomPayload(30_000)
        let key: String

        init(_ stack: Stack) throws {
            self.stack = stack
            // Each client takes a descriptor of this process, whose usual limit is 1024.
            var limit = rlimit()
            getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            limit.rlim_cur = limit.rlim_max
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            key = try Stack.key(stack.put(stored))
        }

        func payload(_ client: Int) -> [UInt8] { Array("\(client)".utf8) + stored }

        /// Sends a client's request, and checks a successful answer to the last byte.
        func ask(_ client: Int) throws -> HTTPAnswer {
            let (answer, expected): (HTTPAnswer, Int) =
                switch Request(client) {
                case .upload: (try stack.put(payload(client), namespace: "crowd"), 201)
                case .download: (try stack.get(key, length: stored.count), 200)
                case .health: (try stack.request("HEAD", "/v2/health/head"), 200)
                }
            let isWhole = Request(client) != .download || answer.body == stored
            if answer.status < 400 { #expect(answer.status == expected && isWhole) }
            return answer
        }

        /// Sends all clients' requests while the workers are frozen, until `isEnough` returns.
        func besiege(
            until isEnough: @escaping @Sendable () throws -> Void,
            _ body: @escaping @Sendable (Int) throws -> Void
        )
            throws
        {
            for worker in stack.workers { try worker.freeze() }
            try concurrently(OverloadTests.clients + 1) { [stack] client in
                if client < OverloadTests.clients { return try body(client) }
                try isEnough()
                for worker in stack.workers { worker.signal(SIGCONT) }
            }
            #expect(stack.workers.allSatisfy { $0.isRunning })
        }

        /// Waits until `count` requests are queued at once, however slow the machine.
        func eventuallyWaiting(_ count: Int) throws {
            try eventually("\(count) requests wait: \(stack.waiting)", within: 100) { stack.waiting == count }
        }

        /// Checks that uploads can be read back and leave nothing else behind.
        func expectStored(_ clients: some Sequence<Int>) throws {
            for client in clients {
                let payload = payload(client)
                let isWhole = try stack.get(Stack.key(of: payload, "crowd"), length: payload.count).body == payload
                #expect(isWhole)
            }
            try stack.expectNothingIncoming()
            #expect(try stack.lps("scrub").status == 0)
        }
    }

    private static let pool = ["--threads", "2"]

    @Test(arguments: Stack.Mode.allCases)
    func `Two workers with two threads each answer 500 clients at once`(mode: Stack.Mode) throws {
        let crowd = try Crowd(Stack(mode, workers: 2, options: Self.pool))
        try crowd.besiege(until: { try crowd.eventuallyWaiting(Self.clients) }) { client in
            let answer = try crowd.ask(client)
            #expect(answer.status < 400, "\(answer.status) \(answer.text)")
        }
        try crowd.expectStored((0..<Self.clients).filter { Request($0) == .upload })
    }

    @Test func `Requests are served in order of arrival, and health checks wait like any other`() throws {
        let folder = try TemporaryFolder()
        let log = folder.file("access.log")
        let stack = try Stack(options: [
            "--threads", "1", "--access-log", log, "--access-format", "$method $namespace $status",
        ])
        let crowd = try Crowd(stack)
        let isAnswered = Counter()
        let stage = Counter()
        let before = 300
        let stages: @Sendable () throws -> Void = {
            for waiting in [before, before + 1, Self.clients] {
                try crowd.eventuallyWaiting(waiting)
                stage.add()
            }
            #expect(isAnswered.value == 0, "a health check succeeds while nothing can be stored")
        }
        try crowd.besiege(until: stages) { client in
            let mine = client < before ? 0 : client == before ? 1 : 2
            try eventually("earlier requests wait", within: 100) { stage.value >= mine }
            let status =
                switch mine {
                case 0: try stack.get(crowd.key, length: crowd.stored.count).status
                case 1: try stack.request("HEAD", "/v2/health/head").status
                default: try stack.put(crowd.payload(client), namespace: "late").status
                }
            #expect(status == (mine == 2 ? 201 : 200))
            isAnswered.add()
        }
        // The order in which the only thread served requests. Those of the start come first.
        var lines = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
        let start = try #require(lines.firstIndex { $0.hasPrefix("GET") })
        lines.removeFirst(start)
        #expect(lines.prefix(before).allSatisfy { $0.hasPrefix("GET") })
        #expect(lines.dropFirst(before).first?.hasPrefix("HEAD") == true)
        #expect(lines.dropFirst(before + 1).allSatisfy { $0 == "PUT late 201" })
        #expect(lines.count == Self.clients)
    }

    @Test(arguments: Stack.Mode.allCases)
    func `Hundreds of slow clients keep no thread from the others`(mode: Stack.Mode) throws {
        // The slow clients pause until all others are served.
        let slow = "    access_log off; client_body_timeout 300s; send_timeout 300s;"
        let stack = try Stack(mode, options: Self.pool) {
            $0.replacingOccurrences(of: "    access_log off;", with: slow)
        }
        let crowd = try Crowd(stack)
        let uploads = try (0..<300).map { client in
            let payload = crowd.payload(client)
            let connection = try HTTPConnection(stack.httpSocket)
            let target = Stack.putTarget(namespace: "crowd", digest: Stack.digest(payload))
            try connection.send("PUT", target, Stack.putHeaders(), length: payload.count)
            try connection.send(Array(payload.prefix(10_000)))
            return connection
        }
        // Larger than socket buffers, so that the rest waits in nginx.
        let large = randomPayload(1_000_000)
        let key = try Stack.key(stack.put(large))
        let downloads = try (0..<100).map { _ in
            let connection = try HTTPConnection(stack.httpSocket)
            try connection.send("GET", Stack.getTarget(key), Stack.getHeaders(length: large.count))
            #expect(try connection.receiveHead().status == 200)
            return connection
        }
        try concurrently(100) { client in
            let answer = try crowd.ask(400 + client)
            #expect(answer.status < 400, "\(answer.status) \(answer.text)")
        }
        for (client, connection) in uploads.enumerated() {
            try connection.send(Array(crowd.payload(client).dropFirst(10_000)))
        }
        for connection in uploads { #expect(try connection.receive().status == 201) }
        for connection in downloads {
            var (isWhole, position) = (true, 0)
            try connection.take(large.count) { piece in
                isWhole = isWhole && Data(piece) == Data(large[position..<position + piece.count])
                position += piece.count
            }
            #expect(isWhole)
        }
        try crowd.expectStored(0..<300)
    }

    @Test(arguments: Stack.Mode.allCases)
    func `Requests beyond the socket's queue get 503 at once, and service resumes with the workers`(
        mode: Stack.Mode
    ) throws {
        let room = 100
        let stack = try Stack(mode, workers: 2, options: Self.pool, backlog: Int32(room - 1))
        let crowd = try Crowd(stack)
        let refused = Counter()
        let taken = Mutex<[Int]>([])
        let isFull: @Sendable () throws -> Void = {
            try eventually("the others are refused: \(refused.value)", within: 100) {
                refused.value == Self.clients - room
            }
            try crowd.eventuallyWaiting(room)
            let health = try stack.request("HEAD", "/v2/health/head").status
            #expect(health == 503)
        }
        try crowd.besiege(until: isFull) { client in
            let answer = try crowd.ask(client)
            if answer.status < 400 { return taken.withLock { $0.append(client) } }
            #expect(answer.status == 503)
            let text = answer.text
            #expect(Request(client) == .health || text == "no worker of the large payload service answers")
            refused.add()
        }
        #expect(refused.value == Self.clients - room)
        let answer = try crowd.ask(Self.clients)
        #expect(answer.status == 201)
        try crowd.expectStored(taken.withLock { $0 }.filter { Request($0) == .upload } + [Self.clients])
    }

    @Test(arguments: Stack.Mode.allCases)
    func `Requests to hung workers get 504, and abandoned requests do no harm`(mode: Stack.Mode) throws {
        let stack = try Stack(mode, workers: 2, options: Self.pool) {
            $0.replacingOccurrences(of: "fastcgi_read_timeout 300s", with: "fastcgi_read_timeout 10s")
        }
        let crowd = try Crowd(stack)
        let refused = Counter()
        // The workers then find requests of clients that have gone.
        let isOver: @Sendable () throws -> Void = {
            try eventually("all clients have gone: \(refused.value)", within: 100) { refused.value == Self.clients }
            try crowd.eventuallyWaiting(Self.clients)
        }
        try crowd.besiege(until: isOver) { client in
            let answer = try crowd.ask(client)
            #expect(answer.status == 504)
            let text = answer.text
            #expect(Request(client) == .health || text == "the large payload service did not answer in time")
            refused.add()
        }
        try eventually("the queue is empty: \(stack.waiting)") { stack.waiting == 0 }
        #expect(try stack.request("HEAD", "/v2/health/head").status == 200)
        // Some of the clients try again.
        let again = (0..<100).filter { Request($0) == .upload }
        try concurrently(20) { part in
            for client in again[part * 2..<part * 2 + 2] {
                let status = try stack.put(crowd.payload(client), namespace: "crowd").status
                // In plain mode the body reached the worker, which stored it before the retry.
                #expect(status == 201 || mode == .plain && status == 200)
            }
        }
        try crowd.expectStored(again)
    }
}
