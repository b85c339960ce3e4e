import Foundation
import PayloadKey
import TestSupport
import Testing

@testable import PayloadService

/// References that the codec server cannot resolve.
@Suite(.runLimit) struct CodecReferenceTests {
    private let payload = JSONPayload(randomPayload(1000))

    @Test(arguments: Setup.all)
    func `A reference to nothing, or to another payload, is refused with its index`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup, codec: CodecLimits(minimumSize: 100))
        let good = try fixture.codec("encode", [payload])[0]
        let reference = try PayloadReference(parsing: Array(good.data))
        let key = String(decoding: reference.key, as: UTF8.self)
        let (digest, other) = (reference.digest, Digest(of: [1]))
        func changed(size: UInt64 = reference.size, digest: Digest = reference.digest, key: String) -> JSONPayload {
            var payload = good
            let changed = PayloadReference(metadata: reference.metadata, size: size, digest: digest, key: bytes(key))
            payload.data = Data(changed.json.utf8)
            return payload
        }
        let otherKey = key.replacingOccurrences(of: "\(digest)", with: "\(other)")
        for operation in ["decode", "download"] {
            for (wrong, message) in [
                (changed(digest: other, key: otherKey), "blob not found"),
                (changed(key: "/../\(key)"), "blob not found"),
                (changed(key: key.replacingOccurrences(of: "/ns/", with: "/other/")), "blob not found"),
                (changed(size: 1, key: key), "payload has 1000 bytes, expected 1"),
                (changed(size: 1001, key: key), "payload has 1000 bytes, expected 1001"),
                (changed(digest: other, key: key), "its digest \(other) is not the one of its key \(key)"),
            ] {
                let answer = try fixture.ask(.codec(operation, JSONPayloads([good, wrong]).json))
                expectRefusal(answer, 400, "payload 1: \(message)", operation)
            }
        }
        let none = try fixture.ask(.codec("download", JSONPayloads([good, payload]).json))
        let message = "payload 1: it is no reference to a large payload, so there is nothing to download"
        expectRefusal(none, 400, message)
    }

    @Test(arguments: Setup.all) func `A reference to a deleted payload is refused`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup, codec: CodecLimits(minimumSize: 100))
        let encoded = try fixture.codec("encode", [payload])
        let reference = try PayloadReference(parsing: Array(encoded[0].data))
        try fixture.store.storage.remove(#require(PayloadKey(parsing: reference.key)))
        for operation in ["decode", "download"] {
            let answer = try fixture.ask(.codec(operation, JSONPayloads(encoded).json))
            expectRefusal(answer, 400, "payload 0: blob not found", operation)
        }
    }

    @Test func `A payload that is deleted while it is sent cuts the answer off`() throws {
        let fixture = try ServiceFixture(codec: CodecLimits(minimumSize: 100))
        let encoded = try fixture.codec("encode", [payload])
        let key = try #require(PayloadKey(parsing: PayloadReference(parsing: Array(encoded[0].data)).key))
        var asked = try Asked.codec("decode", JSONPayloads(encoded).json)
        asked.beforeContent = { try fixture.store.storage.remove(key) }
        #expect(throws: CutOff.self) { try fixture.ask(asked) }
    }
}
