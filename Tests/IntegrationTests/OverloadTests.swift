import Foundation
import TestSupport
import Testing

/// More clients at once than the workers can serve.
@Suite(.serialized, .runLimit) struct OverloadTests {
    private static let clients = 500

    /// What a client asks for, by its number.
    private enum Request: Sendable {
        case upload, download, health

        init(_ client: Int) { self = [.upload, .upload, .download, .download, .health][client % 5] }
    }

    /// A stored payload, and 500 clients that begin when they are told to.
    private final class Crowd: Sendable {
        let stack: Stack
        let stored = randomPayload(30_000)
        let key: String

        init(_ stack: Stack) throws {
            self.stack = stack
            Self.allowOpenFiles()
            key = try Stack.key(stack.put(stored))
        }

        /// Each client has a descriptor of this process, whose usual limit is 1024.
        private static func allowOpenFiles() {
            var limit = rlimit()
            getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            limit.rlim_cur = limit.rlim_max
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        }

        func payload(_ client: Int) -> [UInt8] { Array("\(client)".utf8) + stored }

        /// What a client's request was answered; a right answer is checked to the last byte.
        func ask(_ client: Int) throws -> HTTPAnswer {
            switch Request(client) {
            case .upload:
                let answer = try stack.put(payload(client), namespace: "crowd")
                if answer.status < 400 { #expect(answer.status == 201) }
                return answer
            case .download:
                let answer = try stack.get(key, length: stored.count)
                let isWhole = answer.body == stored
                if answer.status < 400 { #expect(isWhole && answer.status == 200) }
                return answer
            case .health:
                let answer = try stack.request("HEAD", "/v2/health/head")
                if answer.status < 400 { #expect(answer.status == 200) }
                return answer
            }
        }

        /// Makes sure that uploads can be read back, and that nothing is left of them beside.
        func expectStored(_ clients: some Sequence<Int>) throws {
            for client in clients {
                let payload = payload(client)
                let key = "/blobs/crowd/common/\(Stack.digest(payload))/\(Stack.digest([]))"
                let isWhole = try stack.get(key, length: payload.count).body == payload
                #expect(isWhole)
            }
            try stack.expectNothingIncoming()
            #expect(try stack.lps("scrub").status == 0)
        }
    }

    @Test(arguments: Stack.Mode.allCases)
    func `500 clients at once are all answered, by two workers with two threads each`(mode: Stack.Mode) throws {
        let stack = try Stack(mode, workers: 2, options: ["--threads", "2"])
        let crowd = try Crowd(stack)
        for worker in stack.workers { try worker.freeze() }
        try concurrently(Self.clients + 1) { client in
            guard client < Self.clients else {
                // So that they are there at once, however slow the machine.
                try eventually("all wait: \(stack.waiting)", within: 100) { stack.waiting == Self.clients }
                for worker in stack.workers { worker.signal(SIGCONT) }
                return
            }
            let answer = try crowd.ask(client)
            #expect(answer.status < 400, "\(answer.status) \(answer.text)")
        }
        try crowd.expectStored((0..<Self.clients).filter { Request($0) == .upload })
        #expect(stack.workers.allSatisfy { $0.isRunning })
    }

    @Test func `Nobody waits for those who came later, and a health check waits as every request does`() throws {
        let folder = try TemporaryFolder()
        let log = folder.file("access.log")
        let stack = try Stack(options: [
            "--threads", "1", "--access-log", log, "--access-format", "$method $namespace $status",
        ])
        let crowd = try Crowd(stack)
        try stack.workers[0].freeze()
        let isAnswered = Counter()
        let stage = Counter()
        let before = 300
        try concurrently(Self.clients + 1) { client in
            if client == Self.clients {
                for waiting in [before, before + 1, Self.clients] {
                    try eventually("\(waiting) wait: \(stack.waiting)", within: 100) { stack.waiting == waiting }
                    stage.add()
                }
                #expect(isAnswered.value == 0, "health is told while nothing can be stored")
                return stack.workers[0].signal(SIGCONT)
            }
            if client < before {
                let status = try stack.get(crowd.key, length: crowd.stored.count).status
                #expect(status == 200)
            } else if client == before {
                try eventually("the downloads wait", within: 100) { stage.value == 1 }
                let status = try stack.request("HEAD", "/v2/health/head").status
                #expect(status == 200)
            } else {
                try eventually("the health check waits", within: 100) { stage.value == 2 }
                let status = try stack.put(crowd.payload(client), namespace: "late").status
                #expect(status == 201)
            }
            isAnswered.add()
        }
        // What the only thread did, in its order: the start's own requests come first.
        var lines = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
        let start = try #require(lines.firstIndex { $0.hasPrefix("GET") })
        lines.removeFirst(start)
        #expect(lines.prefix(before).allSatisfy { $0.hasPrefix("GET") })
        #expect(lines.dropFirst(before).first?.hasPrefix("HEAD") == true)
        #expect(lines.dropFirst(before + 1).allSatisfy { $0 == "PUT late 201" })
        #expect(lines.count == Self.clients)
    }

    @Test(arguments: Stack.Mode.allCases)
    func `Hundreds of clients that send and read slowly keep no thread from the others`(mode: Stack.Mode) throws {
        // They stand still until all the others are served.
        let stack = try Stack(mode, options: ["--threads", "2"]) {
            $0.replacingOccurrences(
                of: "    access_log off;",
                with: "    access_log off; client_body_timeout 300s; send_timeout 300s;"
            )
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
        // Larger than what sockets hold, so that the rest waits in nginx.
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
    func `Whom the socket's queue has no room for gets 503 at once, and all goes on by itself when workers do`(
        mode: Stack.Mode
    ) throws {
        let room = 100
        let stack = try Stack(mode, workers: 2, options: ["--threads", "2"], backlog: Int32(room - 1))
        let crowd = try Crowd(stack)
        for worker in stack.workers { try worker.freeze() }
        let refused = Counter()
        let stored = Numbers()
        try concurrently(Self.clients + 1) { client in
            guard client < Self.clients else {
                try eventually("the others are refused: \(refused.value)", within: 100) {
                    refused.value == Self.clients - room
                }
                try eventually("those who have room wait: \(stack.waiting)") { stack.waiting == room }
                let health = try stack.request("HEAD", "/v2/health/head").status
                #expect(health == 503)
                for worker in stack.workers { worker.signal(SIGCONT) }
                return
            }
            let answer = try crowd.ask(client)
            if answer.status < 400 {
                if Request(client) == .upload { stored.add(client) }
            } else {
                #expect(answer.status == 503)
                let text = answer.text
                #expect(Request(client) == .health || text == "no worker of the large payload service answers")
                refused.add()
            }
        }
        #expect(refused.value == Self.clients - room)
        #expect(stack.workers.allSatisfy { $0.isRunning })
        let answer = try crowd.ask(Self.clients)
        #expect(answer.status == 201)
        try crowd.expectStored(stored.all + [Self.clients])
    }

    @Test(arguments: Stack.Mode.allCases)
    func `Who waits for workers that hang gets 504 in the end, and what was given up does no harm`(mode: Stack.Mode)
        throws
    {
        let stack = try Stack(mode, workers: 2, options: ["--threads", "2"]) {
            $0.replacingOccurrences(of: "fastcgi_read_timeout 300s", with: "fastcgi_read_timeout 10s")
        }
        let crowd = try Crowd(stack)
        for worker in stack.workers { try worker.freeze() }
        try concurrently(Self.clients) { client in
            let answer = try crowd.ask(client)
            #expect(answer.status == 504)
            let text = answer.text
            #expect(Request(client) == .health || text == "the large payload service did not answer in time")
        }
        // The workers find the requests of clients that have gone.
        try eventually("all are there: \(stack.waiting)") { stack.waiting == Self.clients }
        for worker in stack.workers { worker.signal(SIGCONT) }
        try eventually("they are through: \(stack.waiting)") { stack.waiting == 0 }
        #expect(try stack.request("HEAD", "/v2/health/head").status == 200)
        #expect(stack.workers.allSatisfy { $0.isRunning })
        // Some of the clients try again.
        let uploads = (0..<100).filter { Request($0) == .upload }
        try concurrently(20) { part in
            for (_, client) in uploads.enumerated().filter({ $0.offset % 20 == part }) {
                let status = try stack.put(crowd.payload(client), namespace: "crowd").status
                // In plain mode the body has reached the worker, which stores it for whoever comes again.
                #expect(status == 201 || mode == .plain && status == 200)
            }
        }
        try crowd.expectStored(uploads)
    }
}

/// Numbers from many threads.
private final class Numbers: @unchecked Sendable {
    // Guarded by the lock.
    private var numbers: [Int] = []
    private let lock = NSLock()

    func add(_ number: Int) { lock.withLock { numbers.append(number) } }
    var all: [Int] { lock.withLock { numbers } }
}
