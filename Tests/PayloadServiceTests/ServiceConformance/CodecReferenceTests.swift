import Foundation
import PayloadKey
import TestSupport
import Testing

@testable import PayloadService

/// References that the codec server cannot resolve.
@Suite(.runLimit) struct CodecReferenceTests {
    private let payload = JSONPayload(randomPayload(1000))

    private func reference(_ payload: JSONPayload) throws -> PayloadReference {
        try PayloadReference(parsing: Array(payload.data))
    }

    /// A payload that carries another reference.
    private func carrier(_ payload: JSONPayload, _ json: String) -> JSONPayload {
        var payload = payload
        payload.data = Data(json.utf8)
        return payload
    }

    /// References that lead to no payload, made from one that does, and why they don't.
    private func bad(_ good: JSONPayload) throws -> [(payload: JSONPayload, reason: String)] {
        let reference = try reference(good)
        let key = String(decoding: reference.key, as: UTF8.self)
        let (digest, other) = (reference.digest, Digest(of: [1]))
        let forged = TemporalMetadata([(bytes("encoding"), bytes("binary/null"))])
        func changed(
            metadata: TemporalMetadata = reference.metadata,
            size: UInt64 = reference.size,
            digest: Digest = reference.digest,
            key: String
        ) -> JSONPayload {
            carrier(good, PayloadReference(metadata: metadata, size: size, digest: digest, key: bytes(key)).json)
        }
        var unknown = good
        unknown.metadata["temporal.io/remote-codec"] = Data("v3".utf8)
        return [
            (
                changed(digest: other, key: key.replacingOccurrences(of: "\(digest)", with: "\(other)")),
                "blob not found"
            ),
            (changed(key: "/../\(key)"), "blob not found"),
            (changed(key: key.replacingOccurrences(of: "/ns/", with: "/other/")), "blob not found"),
            (changed(size: 1, key: key), "payload has 1000 bytes, expected 1"),
            (changed(size: 1001, key: key), "payload has 1000 bytes, expected 1001"),
            (changed(digest: other, key: key), "its digest \(other) is not the one of its key \(key)"),
            (changed(metadata: forged, key: key), "its metadata is not the one of its key \(key)"),
            (unknown, "unknown version 'v3' in temporal.io/remote-codec"),
            (carrier(good, "[]"), "invalid reference to a large payload: expected '{' at byte 0"),
        ]
    }

    @Test(arguments: Setup.all)
    func `A bad reference stays as it is, with its reason in a header and in the log, and the others are decoded`(
        setup: Setup
    ) throws {
        let fixture = try ServiceFixture(setup, codec: CodecLimits(minimumSize: 100))
        let good = try fixture.codec("encode", [payload])[0]
        for (wrong, reason) in try bad(good) {
            let answer = try fixture.ask(.codec("decode", JSONPayloads([good, wrong, good]).json))
            #expect(try answer.payloads == [payload, wrong, payload], "\(reason)")
            let undecoded = "1;reason=\"\(reason)\""
            #expect(answer.headers["X-LPS-Undecoded"] == undecoded)
            #expect(fixture.log.text.contains("notice payloads not decoded"))
            #expect(fixture.log.text.contains(reason))
            let download = try fixture.ask(.codec("download", JSONPayloads([good, wrong]).json))
            expectRefusal(download, 400, "payload 1: \(reason)")
        }
        let none = try fixture.ask(.codec("download", JSONPayloads([good, payload]).json))
        let message = "payload 1: it is no reference to a large payload, so there is nothing to download"
        expectRefusal(none, 400, message)
    }

    @Test func `A page shows the reason inside the reference, which is still the same reference`() throws {
        let fixture = try ServiceFixture(codec: CodecLimits(minimumSize: 100))
        let good = try fixture.codec("encode", [payload])[0]
        for (wrong, reason) in try bad(good) {
            let answer = try fixture.ask(
                .codec("decode?preserveStorageRefs=true", JSONPayloads([good, wrong]).json)
            )
            let shown = try answer.payloads
            #expect(shown[0] == payload)
            #expect(shown[1].metadata == wrong.metadata)
            #expect(answer.headers["X-LPS-Undecoded"] == "1;reason=\"\(reason)\"")
            // What is no reference at all can't carry a reason.
            guard reason.hasPrefix("blob") || reason.hasPrefix("payload") || reason.hasPrefix("its") else {
                #expect(shown[1] == wrong)
                continue
            }
            #expect(try reference(shown[1]) == reference(wrong), "\(reason)")
            let members = try #require(JSONSerialization.jsonObject(with: shown[1].data) as? [String: Any])
            #expect(members["error"] as? String == reason)
            let again = try fixture.codec("decode?preserveStorageRefs=true", [shown[1]])
            #expect(again == [shown[1]], "a page may send what it was shown")
        }
    }

    @Test func `A header lists as many undecoded payloads as fit, and counts the others`() throws {
        let fixture = try ServiceFixture(codec: CodecLimits(minimumSize: 100))
        let good = try fixture.codec("encode", [payload])[0]
        let missing = try bad(good)[0].payload
        let payloads = Array(repeating: missing, count: 1000)
        let answer = try fixture.ask(.codec("decode", JSONPayloads(payloads).json))
        #expect(try answer.payloads == payloads)
        let field = try #require(answer.headers["X-LPS-Undecoded"])
        #expect(field.hasPrefix(#"0;reason="blob not found", 1;reason="blob not found", "#))
        let items = field.components(separatedBy: ", ")
        #expect(items.last == "more;count=\(1000 - (items.count - 1))")
        #expect(field.utf8.count < 2100, "nginx reads a worker's header into one page of memory")
        let name = "\"\\é"
        var odd = good
        odd.metadata["temporal.io/remote-codec"] = Data(name.utf8)
        let escaped = try fixture.ask(.codec("decode", JSONPayloads([odd]).json))
        #expect(
            escaped.headers["X-LPS-Undecoded"]
                == #"0;reason="unknown version '\"\\?' in temporal.io/remote-codec""#
        )
    }

    @Test(arguments: Setup.all) func `A reference to a deleted payload stays as it is`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup, codec: CodecLimits(minimumSize: 100))
        let encoded = try fixture.codec("encode", [payload])
        try fixture.store.storage.remove(#require(PayloadKey(parsing: reference(encoded[0]).key)))
        let answer = try fixture.ask(.codec("decode", JSONPayloads(encoded).json))
        #expect(try answer.payloads == encoded)
        #expect(answer.headers["X-LPS-Undecoded"] == #"0;reason="blob not found""#)
        let download = try fixture.ask(.codec("download", JSONPayloads(encoded).json))
        expectRefusal(download, 400, "payload 0: blob not found")
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
