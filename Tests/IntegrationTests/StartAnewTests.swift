import Foundation
import TestSupport
import Testing

/// A worker that starts anew, when something is in its way. The requests speak FastCGI themselves: nginx would try again.
@Suite(.serialized, .runLimit) struct StartAnewTests {
    private let folder: TemporaryFolder
    private let store: String
    private let socket: String
    private let file: String
    /// A program in a place of its own, which an upgrade replaces.
    private let program: String

    init() throws {
        folder = try TemporaryFolder()
        store = folder.file("store")
        socket = folder.file("lps.sock")
        file = folder.file("lps.conf")
        program = folder.file("lps-worker")
        #expect(try run(Project.binary("lps"), ["init", "--store", store]).status == 0)
        try install()
        try configure("")
    }

    /// Puts the program there, as dpkg does: a new file in the place of the old one.
    private func install() throws {
        // By a process of its own: what this one writes, its children have open for a moment, and could not run it.
        #expect(try run("cp", [Project.binary("lps-worker"), program + ".new"]).status == 0)
        #expect(rename(program + ".new", program) == 0)
    }

    private func configure(_ text: String) throws {
        try "LPS_STORE=\(store)\nLPS_LISTEN=\(socket)\n\(text)\n".write(toFile: file, atomically: true, encoding: .utf8)
    }

    private func start() throws -> ChildProcess {
        let worker = try ChildProcess(program, ["--config", file], log: folder.file("log"))
        try eventually("it serves: \(worker.log)") {
            guard worker.isRunning else { throw NeverHappened(what: "it ended: \(worker.log)") }
            return worker.log.contains("msg=serving")
        }
        return worker
    }

    private func ping(_ socket: String) throws -> FastCGIClient {
        let client = try FastCGIClient(socket)
        client.send(FastCGIClient.head(["REQUEST_METHOD": "GET", "SCRIPT_NAME": "/lps/ping"]))
        client.send(FastCGIClient.record(.stdin, []))
        return client
    }

    private func served(_ worker: ChildProcess) -> Int { worker.log.components(separatedBy: "msg=serving").count - 1 }

    @Test func `A stop that comes when the old program is done ends the new one, and its socket's file goes`() throws {
        let worker = try start()
        try install()
        // A program that is open for writing can't be run (ETXTBSY): it is tried again meanwhile.
        let writer = open(program, O_WRONLY | O_CLOEXEC)
        try #require(writer >= 0)
        worker.signal(SIGUSR2)
        try eventually("the old one is done") { worker.log.contains("started anew") }
        worker.signal(SIGTERM)
        usleep(100_000)
        close(writer)
        try eventually("it ends: \(worker.log)") { !worker.isRunning }
        #expect(worker.wait() == 0)
        #expect(!FileManager.default.fileExists(atPath: socket))
    }

    @Test func `A stop while it starts anew answers what has connected`() throws {
        let worker = try start()
        // Holds a thread until it is told to end.
        let upload = try FastCGIClient(uploading: [1], to: socket)
        worker.signal(SIGUSR2)
        try eventually("it starts anew") { worker.log.contains("starting anew") }
        let clients = try (0..<40).map { _ in try ping(socket) }
        worker.signal(SIGTERM)
        usleep(100_000)
        upload.send(FastCGIClient.record(.stdin, [1]) + FastCGIClient.record(.stdin, []))
        #expect(upload.receiveAnswer().contains("Status: 201"))
        #expect(clients.filter { $0.receiveAnswer().contains("pong") }.count == 40)
        try eventually("it ends: \(worker.log)") { !worker.isRunning }
        #expect(worker.wait() == 0)
    }

    @Test func `A configuration with an error keeps it as it is, however it was to start anew`() throws {
        try configure("LPS_MAX_REQUESTS=3")
        let worker = try start()
        try configure("LPS_MAX_REQUESTS=3\nLPS_THREADS=many")
        worker.signal(SIGUSR2)
        try eventually("it says so: \(worker.log)") { worker.log.contains("not starting anew") }
        for _ in 0..<20 { #expect(try ping(socket).receiveAnswer().contains("pong")) }
        #expect(served(worker) == 1)
        try configure("LPS_MAX_REQUESTS=3")
        try eventually("it starts anew: \(worker.log)") {
            let answer = try ping(socket).receiveAnswer()
            #expect(answer.contains("pong"))
            return served(worker) > 1
        }
    }

    @Test func `A program that is not there for a moment is waited for`() throws {
        let worker = try start()
        #expect(rename(program, program + ".old") == 0)
        worker.signal(SIGUSR2)
        try eventually("the old one is done: \(worker.log)") { worker.log.contains("started anew") }
        #expect(rename(program + ".old", program) == 0)
        #expect(try ping(socket).receiveAnswer().contains("pong"))
        try eventually("it has said so") { served(worker) == 2 }
    }

    @Test func `Another address is bound, and the former one is gone`() throws {
        let worker = try start()
        let other = folder.file("other.sock")
        try configure("LPS_LISTEN=\(other)\nLPS_LISTEN_MODE=0606")
        worker.signal(SIGUSR2)
        try eventually("it serves there: \(worker.log)") { served(worker) == 2 }
        #expect(try ping(other).receiveAnswer().contains("pong"))
        #expect(!FileManager.default.fileExists(atPath: socket))
        var status = stat()
        #expect(stat(other, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o606)
    }

    @Test func `The same socket gets another mode`() throws {
        let worker = try start()
        try configure("LPS_LISTEN_MODE=0606")
        worker.signal(SIGUSR2)
        try eventually("it serves: \(worker.log)") { served(worker) == 2 }
        var status = stat()
        #expect(stat(socket, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o606)
    }

    @Test func `No descriptor is left over`() throws {
        let worker = try start()
        func descriptors() throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/\(worker.pid)/fd").count
        }
        let before = try descriptors()
        for round in 2...4 {
            worker.signal(SIGUSR2)
            try eventually("it serves") { served(worker) == round }
        }
        try eventually("none is left over") { try descriptors() == before }
    }

    @Test func `A number of requests that is no number is refused`() throws {
        for number in ["18446744073709551615", "-1", "1000000000001"] {
            try configure("LPS_MAX_REQUESTS=\(number)")
            let ended = try run(program, ["--check", "--config", file])
            #expect(ended.status == 78)
            #expect(ended.output.contains("'\(number)', expected a number of requests up to 10^12, or 0"))
        }
    }
}
