import Glibc
import Logging

@testable import FastCGI

/// Tests a worker's connection, read through libfcgi: a request is not longer than the bytes sent, and its connection
/// is closed. With an odd first byte, the web server disconnects before the answer.
func fuzzFastCGI(_ text: [UInt8]) throws {
    guard let choice = text.first, !meetsHoleOfLibfcgi(Array(text.dropFirst())) else { return }
    _ = libfcgi
    var ends: [Int32] = [-1, -1]
    precondition(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
    // An input fits into a socket's buffer, so nothing blocks here.
    let sent = text.dropFirst().withUnsafeBytes { write(ends[0], $0.baseAddress, $0.count) }
    precondition(sent == text.count - 1)
    if choice & 1 == 1 { close(ends[0]) } else { shutdown(ends[0], Int32(SHUT_WR)) }
    defer {
        if choice & 1 == 0 { close(ends[0]) }
        precondition(fcntl(ends[1], F_GETFD) < 0 && errno == EBADF)
    }
    let request = Request()
    try request.begin(on: Connection(descriptor: ends[1], isUnixSocket: true))
    defer { request.finish() }
    let names: [StaticString] = ["REQUEST_METHOD", "QUERY_STRING", "CONTENT_LENGTH", "REQUEST_BODY_FILE", ""]
    for name in names {
        guard let value = request.parameters[name] else { continue }
        precondition(value.count < text.count && !value.contains(0))
    }
    var buffer = [UInt8](repeating: 0, count: 4096)
    var total = 0
    while true {
        let count = try buffer.withUnsafeMutableBytes { try request.readBody(into: $0) }
        if count == 0 { break }
        total += count
    }
    precondition(total < text.count)
    try Array("Status: 200 OK\r\n\r\n".utf8).withUnsafeBytes { try request.write($0) }
}

private let libfcgi: WorkerPool = {
    do {
        let logger = Logger(label: "fuzz") { _ in SwiftLogNoOpLogHandler() }
        return try WorkerPool(listeners: [], threads: 0, logger: logger)
    } catch {
        preconditionFailure("\(error)")
    }
}()
