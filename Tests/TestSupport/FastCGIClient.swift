import Foundation

/// Sends raw FastCGI (specification 1.0) to a worker, as a web server would.
package final class FastCGIClient {
    package enum RecordType: UInt8 {
        case beginRequest = 1, abortRequest, endRequest, params, stdin, stdout, stderr
    }

    package let descriptor: Int32

    package init(_ socketPath: String) throws {
        descriptor = try connectUnix(socketPath)
        endWaits(of: descriptor, after: 60)
    }

    /// Connects to a port of this machine.
    package init(port: UInt16) throws {
        descriptor = try connectTCP(port)
    }

    /// Begins an upload whose body follows in the request.
    package convenience init(
        uploading payload: [UInt8],
        namespace: String = "default",
        requestID: String = "",
        to socketPath: String
    ) throws {
        try self.init(socketPath)
        let parameters = Stack.putParameters(payload, namespace: namespace)
        send(Self.head(parameters.merging(["LPS_REQUEST_ID": requestID]) { $1 }))
    }

    deinit {
        close(descriptor)
    }

    package static func record(_ type: RecordType, _ content: [UInt8], version: UInt8 = 1, id: UInt16 = 1) -> [UInt8] {
        record(type.rawValue, content, version: version, id: id)
    }

    /// A record of the body, padded to a multiple of eight bytes, as FastCGI recommends.
    package static func paddedBody(_ count: Int) -> [UInt8] {
        var record = record(.stdin, [UInt8](repeating: 1, count: count))
        let padding = (8 - count % 8) % 8
        record[6] = UInt8(padding)
        return record + [UInt8](repeating: 0, count: padding)
    }

    package static func record(_ type: UInt8, _ content: [UInt8], version: UInt8 = 1, id: UInt16 = 1) -> [UInt8] {
        [
            version, type, UInt8(id >> 8), UInt8(id & 255), UInt8(content.count >> 8),
            UInt8(content.count & 255), 0, 0,
        ]
            + content
    }

    /// BEGIN_REQUEST and PARAMS of a request in the responder role.
    package static func head(_ parameters: [String: String], keepConnection: Bool = false) -> [UInt8] {
        var content: [UInt8] = []
        for (name, value) in parameters.sorted(by: { $0.key < $1.key }) {
            content += length(name.utf8.count) + length(value.utf8.count) + name.utf8 + value.utf8
        }
        var records = record(.beginRequest, [0, 1, keepConnection ? 1 : 0, 0, 0, 0, 0, 0])
        for start in stride(from: 0, to: content.count, by: 65535) {
            records += record(.params, Array(content[start..<min(start + 65535, content.count)]))
        }
        return records + record(.params, [])
    }

    /// A query of the application's values (FCGI_GET_VALUES).
    package static func getValues(_ names: [String]) -> [UInt8] {
        record(9, names.flatMap { [UInt8($0.utf8.count), 0] + Array($0.utf8) }, id: 0)
    }

    private static func length(_ count: Int) -> [UInt8] {
        count < 128
            ? [UInt8(count)]
            : [UInt8(count >> 24) | 128, UInt8(count >> 16 & 255), UInt8(count >> 8 & 255), UInt8(count & 255)]
    }

    package func send(_ bytes: [UInt8]) {
        _ = sendAll(bytes)
    }

    /// Returns whether the other side accepted all bytes.
    package func sendAll(_ bytes: [UInt8]) -> Bool {
        sendWhatIsTaken(bytes, to: descriptor)
    }

    /// The answer to a request without a body.
    package func ask(_ method: String, _ path: String, _ parameters: [String: String] = [:]) -> String {
        let parameters = parameters.merging(["REQUEST_METHOD": method, "SCRIPT_NAME": path]) { $1 }
        send(Self.head(parameters) + Self.record(.stdin, []))
        return receiveAnswer()
    }

    /// Everything that the worker sends until it closes the connection.
    package func receiveAll() -> [UInt8] {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { return all }
            all += buffer[..<count]
        }
    }

    /// The answer in CGI's format, from the STDOUT records.
    package func receiveAnswer() -> String {
        let all = receiveAll()
        var output: [UInt8] = []
        var index = 0
        while index + 8 <= all.count {
            let length = Int(all[index + 4]) << 8 | Int(all[index + 5])
            let end = min(index + 8 + length, all.count)
            if all[index + 1] == RecordType.stdout.rawValue { output += all[(index + 8)..<end] }
            index += 8 + length + Int(all[index + 6])
        }
        return String(decoding: output, as: UTF8.self)
    }
}
