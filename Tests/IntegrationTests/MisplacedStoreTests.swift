import Foundation
import TestSupport
import Testing

/// An nginx that can't open the workers' store.
@Suite(.serialized, .runLimit) struct MisplacedStoreTests {
    @Test func `A worker sends a payload whose object nginx cannot find`() throws {
        let stack = try Stack(nginx: { text in
            text.replacingOccurrences(of: "/store/objects/;", with: "/elsewhere/objects/;")
        })
        let payload = randomPayload(3_000_000)
        let key = try Stack.key(stack.put(payload))
        #expect(try stack.get(key, length: payload.count).body == payload)
        let range = try stack.get(key, length: payload.count, ["Range": "bytes=10-19"])
        #expect(range.status == 206)
        #expect(range.body == Array(payload[10..<20]))
        #expect(
            try stack.get(key, length: payload.count, ["If-None-Match": "\"\(Stack.digest(payload))\""]).status == 304
        )
        let log = try String(contentsOfFile: stack.folder.file("nginx-error.log"), encoding: .utf8)
        #expect(log.contains("/elsewhere/objects/"), "nginx logs the missing path")
    }

    @Test(.enabled(if: geteuid() == 0, "only root can start nginx as another user"))
    func `A worker sends a payload whose object nginx may not open`() throws {
        let stack = try Stack(
            launcher: ["/bin/sh", "-c", "chown -R nobody \"$(dirname \"$3\")\"; exec \"$@\"", "sh"],
            nginx: { $0.replacingOccurrences(of: "user root;", with: "user nobody nogroup;") }
        )
        let payload = randomPayload(3_000_000)
        let key = try stack.store(payload)
        let object = try stack.object(of: key)
        #expect(try stack.get(key, length: payload.count).body == payload)
        #expect(chown(object, 0, 0) == 0)
        let range = try stack.get(key, length: payload.count, ["Range": "bytes=10-19"])
        #expect(range.status == 206 && range.body == Array(payload[10..<20]))
        let log = try String(contentsOfFile: stack.folder.file("nginx-error.log"), encoding: .utf8)
        #expect(log.contains("\(object)\" failed (13: Permission denied)"), "nginx logs why")
    }
}
