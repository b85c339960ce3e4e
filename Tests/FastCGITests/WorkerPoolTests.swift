import Foundation
import Logging
import TestSupport
import Testing

@testable import FastCGI

@Suite struct WorkerPoolTests {
    private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    @Test func `A pool on a port stops while clients keep connecting`() throws {
        let port = try freePort()
        let listener = try Listener(binding: .tcp(host: "127.0.0.1", port: port))
        let served = Counter()
        let pool = try WorkerPool(listeners: [listener], threads: 2, logger: Self.quiet)
        let handler = WorkerPool.Handler { _, _ in
            usleep(2000)
            served.add()
        }
        let ended = Counter()
        let outlasted = Counter()
        let patience = Date().addingTimeInterval(30)
        let head = FastCGIClient.head(["REQUEST_METHOD": "GET"]) + FastCGIClient.record(.stdin, [])
        try concurrently(10) { index in
            switch index {
            case 0:
                try pool.run(handler)
                ended.add()
            case 1:
                try eventually("some requests were served") { served.value > 20 }
                pool.stop()
            default:
                // The listener stays open, as it does if another process holds it, so clients can always connect.
                while ended.value == 0 {
                    guard Date() < patience else {
                        outlasted.add()
                        return
                    }
                    guard let client = try? FastCGIClient(port: port) else { continue }
                    client.send(head)
                    usleep(1000)
                }
            }
        }
        #expect(outlasted.value == 0, "clients that gave up before the pool stopped")
    }

    @Test func `A pool passes parameters and body to the handler, and returns its answer`() throws {
        let handler = WorkerPool.Handler { request, _ in
            var body = [UInt8](repeating: 0, count: 100)
            let count = (try? body.withUnsafeMutableBytes { try request.readBody(into: $0) }) ?? 0
            let answer = Array("Status: 200 OK\r\n\r\n".utf8) + (request.parameters["NAME"] ?? []) + body.prefix(count)
            try? answer.withUnsafeBytes { try request.write($0) }
        }
        try serving(handler) { socket in
            let client = try FastCGIClient(socket)
            client.send(FastCGIClient.head(["NAME": "name "]) + FastCGIClient.record(.stdin, Array("body".utf8)))
            client.send(FastCGIClient.record(.stdin, []))
            #expect(client.receiveAnswer() == "Status: 200 OK\r\n\r\nname body")
        }
    }

    @Test func `Of several parameters with one name the first counts, and an empty value differs from none`() throws {
        let handler = WorkerPool.Handler { request, _ in
            let values = (["A", "B", "C", "D", "E"] as [StaticString]).map { name in
                request.parameters[name].map { "'\(String(decoding: $0, as: UTF8.self))'" } ?? "none"
            }
            try? request.write("Status: 200 OK\r\n\r\n\(values.joined(separator: " "))")
        }
        try serving(handler) { socket in
            let client = try FastCGIClient(socket)
            client.send(FastCGIClient.record(.beginRequest, [0, 1, 0, 0, 0, 0, 0, 0]))
            for (name, value) in [
                ("A", "first"), ("AB", "longer"), ("B", ""), ("A", "second"), ("C", "x=y"), ("D", "up\0to"),
            ] {
                let lengths = [UInt8(name.utf8.count), UInt8(value.utf8.count)]
                client.send(FastCGIClient.record(.params, lengths + Array("\(name)\(value)".utf8)))
            }
            client.send(FastCGIClient.record(.params, []) + FastCGIClient.record(.stdin, []))
            #expect(client.receiveAnswer() == "Status: 200 OK\r\n\r\n'first' '' 'x=y' 'up' none")
        }
    }

    @Test func `A busy listener keeps no connection of another one waiting`() throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let names = ["busy", "quiet"].map { folder.file($0) }
        let listeners = try names.map { try Listener(binding: .unix(path: $0)) }
        let pool = try WorkerPool(listeners: listeners, threads: 1, logger: Self.quiet)
        let answered = Counter()
        let stopped = Counter()
        try concurrently(5) { index in
            switch index {
            case 0: try pool.run(Self.refusal)
            case 1:
                defer {
                    stopped.add()
                    pool.stop()
                }
                try eventually("the busy listener is served") { answered.value > 20 }
                #expect(try FastCGIClient(names[1]).ask("GET", "/").hasPrefix("Status: 403"))
            default:
                // Three clients and one thread: there is always a connection in the busy listener's queue.
                while stopped.value == 0, let client = try? FastCGIClient(names[0]) {
                    if !client.ask("GET", "/").isEmpty { answered.add() }
                }
            }
        }
    }

    @Test func `A refused body is read to its end after the answer, so its sender does not fail`() throws {
        try serving(Self.refusal) { socket in
            let client = try FastCGIClient(socket)
            client.send(FastCGIClient.head([:]))
            // This reads the whole answer: the client sends the body only afterwards.
            #expect(client.receiveAnswer() == "Status: 403 Forbidden\r\n\r\n")
            let piece = FastCGIClient.record(.stdin, [UInt8](repeating: 1, count: 60_000))
            for _ in 0..<50 { #expect(client.sendAll(piece)) }
            #expect(client.sendAll(FastCGIClient.record(.stdin, [])))
        }
    }

    @Test(arguments: [1, 7, 8, 9])
    func `A refused body is read to its end although only its first bytes arrived with the parameters`(
        early: Int
    ) throws {
        try serving(Self.refusal) { socket in
            let client = try FastCGIClient(socket)
            let piece = FastCGIClient.record(.stdin, [UInt8](repeating: 1, count: 60_000))
            client.send(FastCGIClient.head([:]) + piece.prefix(early))
            #expect(client.receiveAnswer() == "Status: 403 Forbidden\r\n\r\n")
            #expect(client.sendAll(Array(piece.dropFirst(early))))
            for _ in 0..<50 { #expect(client.sendAll(piece)) }
            #expect(client.sendAll(FastCGIClient.record(.stdin, [])))
        }
    }

    @Test func `A refused body in padded records is read to its end after a part of it was read`() throws {
        let refusal = WorkerPool.Handler { request, _ in
            let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 1)
            defer { piece.deallocate() }
            #expect((try? request.readBody(into: piece)) == 64 * 1024)
            try? request.write("Status: 403 Forbidden\r\n\r\n")
        }
        try serving(refusal) { socket in
            let client = try FastCGIClient(socket)
            client.send(FastCGIClient.head([:]))
            // What is read ends with a record and its padding.
            for count in [32_765, 32_768, 3] { client.send(FastCGIClient.paddedBody(count)) }
            #expect(client.receiveAnswer() == "Status: 403 Forbidden\r\n\r\n")
            for _ in 0..<50 { #expect(client.sendAll(FastCGIClient.paddedBody(60_001))) }
            #expect(client.sendAll(FastCGIClient.record(.stdin, [])))
        }
    }

    @Test func `An endless body is read for a limited time`() throws {
        try serving(Self.refusal, lingeringTime: 1) { socket in
            let client = try FastCGIClient(socket)
            client.send(FastCGIClient.head([:]))
            let piece = FastCGIClient.record(.stdin, [1])
            while client.sendAll(piece) { usleep(1000) }
        }
        try serving(Self.refusal, lingeringTime: 1) { socket in
            let silent = try FastCGIClient(socket)
            silent.send(FastCGIClient.head([:]))
            let client = try FastCGIClient(socket)
            client.send(FastCGIClient.head([:]) + FastCGIClient.record(.stdin, []))
            #expect(client.receiveAnswer() == "Status: 403 Forbidden\r\n\r\n", "the thread is free again")
        }
    }

    private static let refusal = WorkerPool.Handler { request, _ in
        try? Array("Status: 403 Forbidden\r\n\r\n".utf8).withUnsafeBytes { try request.write($0) }
    }

    /// Runs `body` with the socket path of a pool of one thread.
    private func serving(
        _ handler: WorkerPool.Handler,
        lingeringTime: Int = 30,
        _ body: @escaping @Sendable (String) throws -> Void
    ) throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let listener = try Listener(binding: .unix(path: folder.file("s")))
        let pool = try WorkerPool(listeners: [listener], threads: 1, lingeringTime: lingeringTime, logger: Self.quiet)
        try concurrently(2) { index in
            if index == 0 { return try pool.run(handler) }
            defer { pool.stop() }
            try body(folder.file("s"))
        }
    }
}
