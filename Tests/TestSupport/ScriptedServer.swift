import Foundation

/// A server on its own port whose answers a script determines, byte by byte.
package final class ScriptedServer: @unchecked Sendable {
    package struct Request: Sendable {
        /// For example `GET /bucket/key`.
        package let line: String
        /// Names in lower case.
        package let headers: [String: String]
        package var body: [UInt8] = []
    }

    package enum Step: Sendable {
        case send([UInt8])
        /// Reads the request's body, if any.
        case takeBody
        /// Ends the connection.
        case close
        /// Ends the connection with a reset.
        case reset
        /// Waits for this many milliseconds.
        case wait(Int)
        /// Sends nothing more until the client closes the connection.
        case stall

        package static func send(_ text: String) -> Step { .send(Array(text.utf8)) }

        /// A complete answer.
        package static func answer(_ status: Int, _ headers: [String] = [], _ body: String = "") -> Step {
            let lines = ["HTTP/1.1 \(status) -", "Content-Length: \(body.utf8.count)"] + headers
            return .send(lines.joined(separator: "\r\n") + "\r\n\r\n" + body)
        }

        /// The answer to an upload.
        package static let stored = Step.answer(200, ["ETag: \"x\""])

        /// The answer to a HEAD of an object.
        package static func object(_ size: Int, _ lastModified: String = "Thu, 26 Nov 2026 22:08:16 GMT") -> Step {
            .send("HTTP/1.1 200 -\r\nContent-Length: \(size)\r\nLast-Modified: \(lastModified)\r\n\r\n")
        }

        /// An S3 error.
        package static func error(_ status: Int, _ code: String, _ headers: [String] = [], rest: String = "") -> Step {
            answer(status, headers, "<Error><Code>\(code)</Code><Message>of the test</Message>\(rest)</Error>")
        }
    }

    package let port: UInt16
    private let listener: Int32
    private let script: @Sendable (Int, Request) -> [Step]
    // Guarded by the lock.
    private var taken: [Request] = []
    private var open: Set<Int32> = []
    private var connections = 0
    private let lock = NSLock()

    /// - Parameter script: the steps for a request, given its number from 0. A body that no step reads is read before
    ///   the first step.
    package init(_ script: @escaping @Sendable (Int, Request) -> [Step]) throws {
        self.script = script
        (listener, port) = try listenOnLoopback()
        let listener = listener
        Thread { [weak self] in
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0, let server = self else { return }
                server.lock.withLock {
                    server.connections += 1
                    _ = server.open.insert(connection)
                }
                Thread { [weak self] in self?.serve(connection) }.start()
            }
        }.start()
    }

    /// Answers requests with these steps in turn, and all further ones with the last.
    package convenience init(_ answers: Step...) throws {
        try self.init { number, _ in [answers[min(number, answers.count - 1)]] }
    }

    deinit { stop() }

    /// Ends all connections and accepts no more.
    package func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        lock.withLock { for connection in open { shutdown(connection, Int32(SHUT_RDWR)) } }
    }

    package var requests: [Request] { lock.withLock { taken } }
    package var lines: [String] { requests.map(\.line) }
    package var connectionCount: Int { lock.withLock { connections } }
    package var openConnectionCount: Int { lock.withLock { open.count } }

    private func serve(_ connection: Int32) {
        defer {
            lock.withLock { _ = open.remove(connection) }
            close(connection)
        }
        var received: [UInt8] = []
        while var request = head(connection, &received) {
            let number = lock.withLock { () -> Int in
                taken.append(request)
                return taken.count - 1
            }
            let steps = script(number, request)
            if !steps.contains(where: { if case .takeBody = $0 { true } else { false } }) {
                takeBody(connection, &request, &received)
                lock.withLock { taken[number] = request }
            }
            for step in steps {
                switch step {
                case .send(let bytes): sendWhatIsTaken(bytes, to: connection)
                case .takeBody:
                    takeBody(connection, &request, &received)
                    lock.withLock { taken[number] = request }
                case .wait(let milliseconds): usleep(UInt32(milliseconds) * 1000)
                case .close: return
                case .reset:
                    var hard = linger(l_onoff: 1, l_linger: 0)
                    setsockopt(connection, SOL_SOCKET, SO_LINGER, &hard, socklen_t(MemoryLayout<linger>.size))
                    return
                case .stall:
                    while receive(connection, &received) {}
                    return
                }
            }
        }
    }

    private func head(_ connection: Int32, _ received: inout [UInt8]) -> Request? {
        while true {
            if let end = received.firstRange(of: Array("\r\n\r\n".utf8)) {
                let lines = String(decoding: received[..<end.lowerBound], as: UTF8.self)
                    .components(separatedBy: "\r\n")
                received.removeSubrange(..<end.upperBound)
                var headers: [String: String] = [:]
                for line in lines.dropFirst() {
                    let parts = line.split(separator: ":", maxSplits: 1).map(String.init)
                    headers[parts[0].lowercased()] =
                        parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
                }
                return Request(line: String(lines[0].dropLast(" HTTP/1.1".count)), headers: headers)
            }
            guard receive(connection, &received) else { return nil }
        }
    }

    private func takeBody(_ connection: Int32, _ request: inout Request, _ received: inout [UInt8]) {
        let length = request.headers["content-length"].flatMap { Int($0) } ?? 0
        if request.headers["expect"] != nil {
            sendWhatIsTaken(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8), to: connection)
        }
        while received.count < length, receive(connection, &received) {}
        request.body = Array(received.prefix(length))
        received.removeFirst(min(length, received.count))
    }

    private func receive(_ connection: Int32, _ received: inout [UInt8]) -> Bool {
        var piece = [UInt8](repeating: 0, count: 64 * 1024)
        let count = recv(connection, &piece, piece.count, 0)
        if count > 0 { received += piece[..<count] }
        return count > 0
    }
}
