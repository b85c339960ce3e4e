import Foundation
import TestSupport
import Testing

/// A separate worker on a stack's store, whose system calls fail.
final class Victim {
    let stack: Stack
    let socket: String
    let process: ChildProcess

    /// - Parameter store: a store other than the stack's.
    init(_ stack: Stack, store: String? = nil, options: [String] = [], environment: [String: String] = [:]) throws {
        self.stack = stack
        socket = stack.folder.file("victim.sock")
        unlink(socket)
        process = try ChildProcess(
            Project.binary("lps-worker"),
            ["--store", store ?? stack.store, "--listen", socket, "--threads", "1"] + options,
            environment: environment,
            log: stack.folder.file("victim-\(UUID().uuidString).log")
        )
        try process.waitUntilServing()
    }

    func put(_ payload: [UInt8], _ namespace: String) throws -> CGIAnswer {
        CGIAnswer(try stack.putThroughFastCGI(payload, namespace: namespace, socket))
    }

    func get(_ payload: [UInt8], _ namespace: String) throws -> CGIAnswer {
        try request(Stack.getParameters(Stack.key(of: payload, namespace), length: payload.count))
    }

    func request(_ parameters: [String: String], body: [UInt8] = []) throws -> CGIAnswer {
        try requestCGI(socket, parameters, body: body)
    }
}

/// Sends a request to a worker as a web server does.
func requestCGI(_ socket: String, _ parameters: [String: String], body: [UInt8] = []) throws -> CGIAnswer {
    let client = try FastCGIClient(socket)
    client.send(FastCGIClient.head(parameters))
    for start in stride(from: 0, to: body.count, by: 65535) {
        client.send(FastCGIClient.record(.stdin, Array(body[start..<min(start + 65535, body.count)])))
    }
    client.send(FastCGIClient.record(.stdin, []))
    return CGIAnswer(client.receiveAnswer())
}

/// An answer in CGI's form.
struct CGIAnswer {
    let status: Int?
    let announced: Int?
    let body: String
    let head: Substring

    init(_ text: String) {
        let parts = text.components(separatedBy: "\r\n\r\n")
        head = parts[0][...]
        body = parts.dropFirst().joined(separator: "\r\n\r\n")
        func field(_ name: String) -> Int? {
            let line = parts[0].components(separatedBy: "\r\n").first { $0.hasPrefix("\(name): ") }
            return line?.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        }
        status = field("Status")
        announced = field("Content-Length")
    }
}

extension Stack {
    /// Checks that every object's bytes match its digest.
    func expectObjectsWhole() throws {
        // A start that was killed leaves its probe, which a later start removes.
        for path in objects where !path.contains("/.probe-") {
            let digest = (path as NSString).lastPathComponent
            #expect(Stack.digest(try contents(of: "\(store)/\(path)")) == "sha256:\(digest)")
        }
    }

    /// The key of a payload without metadata.
    static func key(of payload: [UInt8], _ namespace: String) -> String {
        "/blobs/\(namespace)/common/\(digest(payload))/\(digest([]))"
    }
}
