import Foundation
import PayloadKey
import TestSupport
import Testing

/// An operator's work on a running service, and helpers for its tests.
extension Stack {
    /// Runs `lps --json` and parses its one line of output.
    func lpsJSON(_ arguments: String...) throws -> [String: Any] {
        let result = try lps([arguments[0], "--json"] + arguments.dropFirst())
        #expect(result.status == 0, "\(result.output)")
        return try #require(JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    }

    /// Stores a payload through the service and returns its key.
    func store(_ content: [UInt8], namespace: String = "default", prefix: String? = nil) throws -> String {
        let metadata = prefix.map { TemporalMetadata([(Array("remote-codec/key-prefix".utf8), Array($0.utf8))]) }
        let answer = try put(content, namespace: namespace, metadata: metadata?.json ?? "{}")
        try #require([200, 201].contains(answer.status), "\(answer.status): \(answer.text)")
        return try Stack.key(answer)
    }

    /// The path of a key's file.
    func file(of key: String) throws -> String {
        "\(store)/" + (try #require(lpsJSON("stat", key)["path"] as? String))
    }

    /// The path of a key's object.
    func object(of key: String) throws -> String {
        let digest = try #require(key.split(separator: ":").dropFirst().first?.prefix(64))
        return "\(store)/objects/\(digest.prefix(2))/\(digest)"
    }

    func makeOld(_ key: String, seconds: Int) throws {
        var times = Array(repeating: timespec(tv_sec: time(nil) - seconds, tv_nsec: 0), count: 2)
        #expect(try utimensat(AT_FDCWD, file(of: key), &times, 0) == 0)
    }

    /// Writes a policy file and returns its path.
    func policy(_ text: String) throws -> String {
        let path = folder.file("policy-\(UUID().uuidString)")
        try write(text.utf8, to: path)
        return path
    }
}
