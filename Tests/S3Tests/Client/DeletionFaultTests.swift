import TestSupport
import Testing

@testable import S3

/// How the client handles an engine's answers to deletions.
@Suite(.runLimit) struct DeletionFaultTests {
    private let key = Array("/k".utf8)

    @Test func `A missing object counts as deleted`() throws {
        let server = try ScriptedServer(.error(404, "NoSuchKey"))
        try server.client().delete(key)
        #expect(server.lines == ["DELETE /bucket//k"])
    }

    @Test func `A temporary failure is retried`() throws {
        let server = try ScriptedServer(.error(503, "SlowDown"), .send("HTTP/1.1 204 -\r\n\r\n"))
        try server.client().delete(key)
        #expect(server.requests.count == 2)
    }

    @Test func `A forbidden deletion is not retried`() throws {
        let server = try ScriptedServer(.error(403, "AccessDenied"))
        let error = try failure { try server.client().delete(key) }
        #expect(error.code == .accessDenied)
        #expect(server.requests.count == 1)
    }
}
