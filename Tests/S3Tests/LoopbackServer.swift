import Foundation
import Synchronization

@testable import S3

/// An HTTP server on a loopback address that answers one request a connection, one after another.
final class LoopbackServer: Sendable {
    struct Request: Sendable {
        let method: String
        let target: String
        /// Names in lower case.
        let headers: [String: String]
    }

    typealias Answer = @Sendable (Request) -> (status: Int, body: String)

    let port: Int
    private let listener: Int32
    private let recorded = Mutex<[Request]>([])

    init(_ answer: @escaping Answer) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(INADDR_LOOPBACK).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(listener, address, length) == 0 && listen(listener, 16) == 0
                    && getsockname(listener, address, &length) == 0
            }
        }
        guard isListening else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
        self.listener = listener
        port = Int(UInt16(bigEndian: address.sin_port))
        let thread = Thread { [self] in
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { return }
                serve(connection, answer)
                close(connection)
            }
        }
        thread.start()
    }

    /// Ends the thread, which holds on to the server.
    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
    }

    deinit {
        close(listener)
    }

    var origin: String { "http://127.0.0.1:\(port)" }
    var requests: [Request] { recorded.withLock { $0 } }
    var targets: [String] { requests.map { "\($0.method) \($0.target)" } }

    private func serve(_ connection: Int32, _ answer: Answer) {
        let lines = String(
            decoding: received(connection) { $0.suffix(4).elementsEqual("\r\n\r\n".utf8) },
            as: UTF8.self
        )
        .components(separatedBy: "\r\n")
        let words = lines[0].components(separatedBy: " ")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(
                in: .whitespaces
            )
        }
        guard words.count == 3 else { return }
        let request = Request(method: words[0], target: words[1], headers: headers)
        recorded.withLock { $0.append(request) }
        let (status, body) = answer(request)
        sent(
            connection,
            "HTTP/1.1 \(status) -\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
        )
    }
}

/// ``SimpleHTTP`` on a plain socket, for tests: requests that name another host go to `port` on this machine, too.
func plainHTTP(to port: Int) -> SimpleHTTP {
    { method, url, headers, timeout throws(SimpleHTTPError) in
        guard let parts = URLComponents(string: url), let host = parts.host else { throw SimpleHTTPError("no URL") }
        let connection = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(connection) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(INADDR_LOOPBACK).bigEndian
        let isConnected = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                connect(connection, address, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected else { throw SimpleHTTPError("connection refused") }
        let target = parts.percentEncodedPath + (parts.percentEncodedQuery.map { "?" + $0 } ?? "")
        let lines = ["\(method) \(target) HTTP/1.1", "Host: \(host)"] + headers.map { "\($0.0): \($0.1)" }
        sent(connection, lines.joined(separator: "\r\n") + "\r\n\r\n")
        let answer = received(connection) { _ in false }
        let parsed = String(decoding: answer, as: UTF8.self).components(separatedBy: "\r\n\r\n")
        let words = parsed[0].components(separatedBy: " ")
        guard words.count > 1, let status = Int(words[1]) else { throw SimpleHTTPError("no answer") }
        return (status, Array(parsed.dropFirst().joined(separator: "\r\n\r\n").utf8))
    }
}

private func received(_ connection: Int32, until isEnd: ([UInt8]) -> Bool) -> [UInt8] {
    var all: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 4096)
    while !isEnd(all) {
        let count = recv(connection, &piece, piece.count, 0)
        guard count > 0 else { break }
        all += piece[..<count]
    }
    return all
}

private func sent(_ connection: Int32, _ text: String) {
    let bytes = Array(text.utf8)
    var offset = 0
    while offset < bytes.count {
        let count = bytes[offset...].withUnsafeBytes {
            send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        guard count > 0 else { return }
        offset += count
    }
}
