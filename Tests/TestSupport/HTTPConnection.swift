import Foundation

package struct HTTPAnswer: Sendable {
    package let status: Int
    /// Names in lower case.
    package let headers: [String: String]
    package let body: [UInt8]

    package init(status: Int, headers: [String: String], body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    package var text: String { String(decoding: body, as: UTF8.self) }
}

/// A plain HTTP/1.1 connection on which a test can send what no client library would.
package final class HTTPConnection {
    package struct Broken: Error {
        package let reason: String
    }

    private let descriptor: Int32
    private var received: [UInt8] = []
    private var buffer = [UInt8](repeating: 0, count: 64 << 10)

    /// Connects to a unix socket.
    package convenience init(_ socketPath: String) throws { try self.init(connected: connectUnix(socketPath)) }

    /// Connects to a port of this machine.
    package convenience init(port: UInt16) throws { try self.init(connected: connectTCP(port)) }

    private init(connected: Int32) {
        descriptor = connected
        endWaits(of: descriptor, after: 120)
    }

    deinit {
        close(descriptor)
    }

    package func send(_ bytes: [UInt8]) throws {
        guard sendWhatIsTaken(bytes, to: descriptor) else { throw Broken(reason: "send: errno \(errno)") }
    }

    package func send(_ method: String, _ target: String, _ headers: [String: String], length: Int? = nil) throws {
        var head = "\(method) \(target) HTTP/1.1\r\nHost: localhost\r\n"
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        if let length { head += "Content-Length: \(length)\r\n" }
        try send(Array("\(head)\r\n".utf8))
    }

    package func receive(answerTo method: String = "GET") throws -> HTTPAnswer {
        while true {
            let head = try receiveHead()
            if head.status == 100 { continue }
            let hasBody = method != "HEAD" && head.status != 304 && head.status != 204
            guard hasBody else { return HTTPAnswer(status: head.status, headers: head.headers, body: []) }
            let body =
                if let length = head.headers["content-length"].flatMap({ Int($0) }) {
                    try take(length)
                } else if head.headers["transfer-encoding"] == "chunked" {
                    try takeChunks()
                } else {
                    try takeAll()
                }
            return HTTPAnswer(status: head.status, headers: head.headers, body: body)
        }
    }

    /// All answers until the server closes the connection.
    package func receiveAll() throws -> [HTTPAnswer] {
        var answers: [HTTPAnswer] = []
        while true {
            if received.isEmpty, try !fill() { return answers }
            answers.append(try receive())
        }
    }

    package func receiveHead() throws -> (status: Int, headers: [String: String]) {
        var lines: [String] = []
        repeat { lines.append(try takeLine()) } while lines.last != ""
        let status = lines[0].split(separator: " ").dropFirst().first.flatMap { Int($0) }
        guard let status else { throw Broken(reason: "status line '\(lines[0])'") }
        let headers = lines.dropFirst().compactMap { line -> (String, String)? in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            return (line[..<colon].lowercased(), line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces))
        }
        return (status, Dictionary(headers, uniquingKeysWith: { "\($0), \($1)" }))
    }

    private func takeLine() throws -> String {
        while true {
            if let end = received.firstIndex(of: 10) {
                let line = received[..<end].filter { $0 != 13 }
                received.removeSubrange(...end)
                return String(decoding: line, as: UTF8.self)
            }
            guard try fill() else {
                throw Broken(reason: "closed after '\(String(decoding: received, as: UTF8.self))'")
            }
        }
    }

    package func take(_ count: Int) throws -> [UInt8] {
        while received.count < count {
            guard try fill() else { throw Broken(reason: "closed after \(received.count) of \(count) bytes") }
        }
        let taken = Array(received[..<count])
        received.removeSubrange(..<count)
        return taken
    }

    /// Reads `count` bytes of a body in pieces and keeps none of them.
    package func take(_ count: Int, pieces: Int = 256 << 10, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        let first = try take(min(count, received.count))
        try first.withUnsafeBytes(body)
        var rest = count - first.count
        try withUnsafeTemporaryAllocation(byteCount: pieces, alignment: 1) { buffer in
            while rest > 0 {
                let count = recv(descriptor, buffer.baseAddress, min(rest, buffer.count), 0)
                guard count > 0 else { throw Broken(reason: "closed, or silent, with \(rest) bytes missing") }
                try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                rest -= count
            }
        }
    }

    private func takeChunks() throws -> [UInt8] {
        var body: [UInt8] = []
        while true {
            guard let size = Int(try takeLine(), radix: 16) else { throw Broken(reason: "chunk size") }
            body += try take(size)
            _ = try takeLine()
            if size == 0 { return body }
        }
    }

    private func takeAll() throws -> [UInt8] {
        while try fill() {}
        defer { received = [] }
        return received
    }

    private func fill() throws -> Bool {
        let count = recv(descriptor, &buffer, buffer.count, 0)
        // A unix socket ends with this error, after its last bytes, if the server closed it before reading everything.
        if count < 0, errno == ECONNRESET { return false }
        guard count >= 0 else { throw Broken(reason: "receive: errno \(errno)") }
        received += buffer[..<count]
        return count > 0
    }
}
