import Foundation
import TestSupport
import Testing

@testable import PayloadService

/// The codec server's memory is limited.
@Suite(.runLimit) struct CodecLimitTests {
    private let half = String(repeating: "QUFB", count: 200_000)

    private func ask(_ fixture: ServiceFixture, _ payloads: String...) throws -> Answer {
        try fixture.ask(.codec("decode", bytes(#"{"payloads":[\#(payloads.joined(separator: ","))]}"#)))
    }

    @Test func `Each part of a body that takes memory has a limit, which its refusal names`() throws {
        let fixture = try ServiceFixture()
        let empty = [String](repeating: "{}", count: 1024).joined(separator: ",")
        #expect(try ask(fixture, empty).status == 200)
        expectRefusal(
            try ask(fixture, empty, "{}"),
            400,
            "body is not a JSON object of payloads: over 1024 payloads at byte 3085"
        )
        expectRefusal(
            try ask(fixture, #"{"\#(String(repeating: "n", count: (1 << 20) + 1))":1}"#),
            400,
            "payload 0: string has over 1048576 bytes at byte 14"
        )
        let tooMuch = "metadata of all payloads has over 1048576 bytes"
        let metadata = #"{"metadata":{"a":"\#(half)"}}"#
        #expect(try ask(fixture, metadata).status == 200)
        expectRefusal(try ask(fixture, metadata, metadata), 400, "payload 1: \(tooMuch)")
        let entries = (0..<5000).map { #""\#($0)":"""# }.joined(separator: ",")
        expectRefusal(try ask(fixture, #"{"metadata":{\#(entries)}}"#), 400, "payload 0: \(tooMuch)")
        let reference = #"{"metadata":{"temporal.io/remote-codec":"djI="},"data":"\#(half + half)"}"#
        expectRefusal(
            try ask(fixture, reference),
            400,
            "references have 1200000 bytes, at most 1048576 are allowed"
        )
        let deep = String(repeating: "[", count: 100_000)
        expectRefusal(
            try fixture.ask(.codec("decode", bytes(#"{"deep":\#(deep)}"#))),
            400,
            "body is not a JSON object of payloads: nested deeper than 64 at byte 72"
        )
    }

    @Test func `A message truncates a client's long value`() throws {
        let version = String(repeating: "eHh4", count: 10_000)
        let body = #"{"payloads":[{"metadata":{"temporal.io/remote-codec":"\#(version)"}}]}"#
        let answer = try ServiceFixture().ask(.codec("download", bytes(body)))
        expectRefusal(answer, 400, "payload 0: unknown version 'xxxx…")
        #expect(answer.body.count < 1100)
    }

    @Test(arguments: Setup.disk) func `A body over the limit is refused with 413, and one at the limit is read`(
        setup: Setup
    )
        throws
    {
        let body = bytes(#"{"payloads":[{"data":"\#(half)"}]}"#)
        for operation in ["encode", "decode"] {
            let tooSmall = try ServiceFixture(setup, maximumPayload: UInt64(body.count - 1))
            let answer = try tooSmall.ask(.codec(operation, body))
            expectRefusal(answer, 413, "body exceeds max size of \(body.count - 1) bytes", operation)
            #expect(try tooSmall.store.contents().isEmpty)
            let fitting = try ServiceFixture(setup, maximumPayload: UInt64(body.count))
            #expect(try fitting.ask(.codec(operation, body)).status == 200)
        }
    }

    @Test func `Metadata too long for the references to be decoded is refused before anything is stored`() throws {
        let fixture = try ServiceFixture(codec: CodecLimits(minimumSize: 100))
        // A reference takes six characters for each "<".
        func payload(_ names: Int) -> JSONPayload {
            let pairs = (0..<names).map { ("\($0)" + String(repeating: "<", count: 1000), "") }
            return JSONPayload(randomPayload(1000), metadata: Dictionary(uniqueKeysWithValues: pairs))
        }
        let much = payload(150)
        #expect(try fixture.codec("decode", fixture.codec("encode", [much])) == [much])
        let contents = try fixture.store.contents()
        expectRefusal(
            try fixture.ask(.codec("encode", JSONPayloads([JSONPayload([1]), payload(200)]).json)),
            400,
            "payload 1: the answer's references would have over 1048576 bytes"
        )
        #expect(try fixture.store.contents() == contents)
    }
}
