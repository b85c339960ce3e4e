import Foundation
import TestSupport
import Testing

/// A client that lost its connection, or its patience, and sends the same payload again while its first try is still
/// there.
@Suite(.serialized, .runLimit) struct RetriedUploadTests {
    private static let payload = randomPayload(600_000)

    private func begin(_ stack: Stack) throws -> HTTPConnection {
        let connection = try HTTPConnection(stack.httpSocket)
        let target = Stack.putTarget(namespace: "default", digest: Stack.digest(Self.payload))
        try connection.send("PUT", target, Stack.putHeaders(), length: Self.payload.count)
        try connection.send(Array(Self.payload.prefix(400_000)))
        return connection
    }

    private func expectWhole(_ stack: Stack, _ key: String) throws {
        let isWhole = try stack.get(key, length: Self.payload.count).body == Self.payload
        #expect(isWhole)
    }

    @Test(arguments: Stack.Mode.allCases)
    func `What is cleaned up after an interrupted upload is never its retry's`(mode: Stack.Mode) throws {
        let stack = try Stack(mode, workers: 2)
        var first: HTTPConnection? = try begin(stack)
        if mode == .handover { try eventually("the first is under way") { !stack.incoming.isEmpty } }
        let answer = try stack.put(Self.payload)
        #expect(answer.status == 201)
        let key = try Stack.key(answer)
        // Now the first one's connection breaks.
        withExtendedLifetime(first) {}
        first = nil
        try stack.expectNothingIncoming()
        try expectWhole(stack, key)
        #expect(stack.tree.count == 2, "content and key: \(stack.tree)")
        #expect(try stack.put(Self.payload).status == 200)
        #expect(try stack.lps("scrub").status == 0)
    }

    @Test(arguments: Stack.Mode.allCases)
    func `An upload whose retry was faster is taken, too, and so is a retry after a broken one`(mode: Stack.Mode) throws
    {
        let stack = try Stack(mode, workers: 2)
        do { _ = try begin(stack) }
        let first = try begin(stack)
        let answer = try stack.put(Self.payload)
        #expect(answer.status == 201)
        try first.send(Array(Self.payload.dropFirst(400_000)))
        #expect(try first.receive().status == 200)
        try stack.expectNothingIncoming()
        try expectWhole(stack, Stack.key(answer))
        #expect(stack.tree.count == 2, "content and key: \(stack.tree)")
    }
}
