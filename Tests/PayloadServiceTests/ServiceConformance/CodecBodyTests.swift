import Foundation
import TestSupport
import Testing

@testable import PayloadService

/// Bodies of requests to the codec server: protobuf's JSON mapping, and malformed ones.
@Suite(.runLimit) struct CodecBodyTests {
    private static let good = #"{"metadata":{},"data":""}"#
    private static let noObject = "body is not a JSON object of payloads: "

    private static func version(_ version: String) -> String {
        #"{"metadata":{"temporal.io/remote-codec":"\#(Data(version.utf8).base64EncodedString())"},"data":""}"#
    }

    /// Bodies that every operation refuses.
    private static let malformed = [
        ("", "\(noObject)expected '{' at byte 0"), ("[]", "\(noObject)expected '{' at byte 0"),
        (#"{"payloads":[\#(good)"#, "\(noObject)expected ',' at byte 38"),
        (#"{"payloads":[\#(good)]}x"#, "\(noObject)text after the value at byte 40"),
        (#"{"payloads":{}}"#, "\(noObject)expected '[' at byte 12"),
        (#"{"payloads":[],"payloads":[]}"#, "\(noObject)payloads are given twice at byte 26"),
        (#"{"payloads":[\#(good),1]}"#, "payload 1: expected '{' at byte 39"),
        (#"{"payloads":[\#(good),{"data":1}]}"#, "payload 1: expected '\"' at byte 47"),
        (#"{"payloads":[\#(good),{"data":"QQ=A"}]}"#, "payload 1: its data is not valid base64"),
        (#"{"payloads":[\#(good),{"data":"Q"}]}"#, "payload 1: its data is not valid base64"),
        (#"{"payloads":[\#(good),{"data":"QQ==QQ=="}]}"#, "payload 1: its data is not valid base64"),
        (#"{"payloads":[{"data":"","data":""}]}"#, "payload 0: data is given twice at byte 31"),
        (
            #"{"payloads":[{"metadata":{},"metadata":{}}]}"#,
            "payload 0: metadata is given twice at byte 39"
        ),
        (#"{"payloads":[{"metadata":{"a":"!"}}]}"#, "payload 0: its metadata 'a' is not valid base64"),
        (#"{"payloads":[{"metadata":{"a":1}}]}"#, "payload 0: expected '\"' at byte 30"),
    ]

    /// Well-formed bodies whose references cannot be resolved.
    private static let notFollowed = [
        (#"{"payloads":[\#(version("v3"))]}"#, "payload 0: unknown version 'v3' in temporal.io/remote-codec"),
        (
            #"{"payloads":[\#(version("v1"))]}"#,
            "payload 0: it was stored under version v1 of the API, which this service does not have "
                + "(temporal.io/remote-codec)"
        ),
        (
            #"{"payloads":[\#(version("v2"))]}"#,
            "payload 0: invalid reference to a large payload: expected '{' at byte 0"
        ),
    ]

    @Test(arguments: Setup.disk) func `A malformed body is refused with the reason and the payload's index`(
        setup: Setup
    ) throws {
        let fixture = try ServiceFixture(setup)
        for (body, message) in Self.malformed {
            for operation in ["encode", "decode", "download"] {
                // A download first refuses the payload before it, which is not a reference.
                if operation == "download", body.contains(Self.good), message.hasPrefix("payload 1") { continue }
                expectRefusal(try fixture.ask(.codec(operation, bytes(body))), 400, message, "\(operation) \(body)")
            }
        }
        for (body, message) in Self.notFollowed {
            expectRefusal(try fixture.ask(.codec("download", bytes(body))), 400, message, body)
            #expect(try fixture.ask(.codec("encode", bytes(body))).status == 200, "encode does not follow references")
        }
        #expect(try fixture.store.contents().isEmpty)
    }

    @Test(arguments: ["gzip", "br", "gzip, identity"])
    func `A compressed body is refused with the encoding that is accepted`(coding: String) throws {
        let fixture = try ServiceFixture()
        for operation in ["encode", "decode", "download"] {
            let answer = try fixture.ask(
                .codec(operation, bytes(#"{"payloads":[]}"#)).with { $0.headers.contentEncoding = sent(coding) }
            )
            expectRefusal(
                answer,
                415,
                "Content-Encoding '\(coding)' is not supported, send the body uncompressed",
                operation
            )
            #expect(answer.headers["Accept-Encoding"] == "identity")
        }
    }

    // MARK: Protobuf's JSON mapping

    @Test(arguments: Setup.disk)
    func `A payload's other members are kept in its reference, and in the payload again`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup, codec: CodecLimits(minimumSize: 0))
        let others = #""externalPayloads":[{"sizeBytes":"5"}],"later":{"a":[1, "é"]}"#
        let body = #"{"payloads":[{\#(others),"metadata":{"a":"MQ=="},"data":"aGk="}]}"#
        let encoded = try fixture.ask(.codec("encode", bytes(body)))
        #expect(encoded.text.hasSuffix(",\(others)}]}"))
        let whole = #"{"payloads":[{"metadata":{"a":"MQ=="},"data":"aGk=",\#(others)}]}"#
        for operation in ["decode", "download"] {
            #expect(try fixture.ask(.codec(operation, encoded.body)).text == whole, "\(operation)")
        }
    }

    @Test(arguments: Setup.disk)
    func `Small payloads pass through unchanged, with unknown fields`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup)
        let payloads =
            #"[ {"data":"aGk", "later": [{"x":null}], "metadata" : {"a":"_-8"}},{},{"metadata":null,"data":null}]"#
        for operation in ["encode", "decode"] {
            let answer = try fixture.ask(.codec(operation, bytes(#"{"other":1,"payloads":\#(payloads)}"#)))
            #expect(answer.text == #"{"payloads":\#(payloads.replacingOccurrences(of: "[ {", with: "[{"))}"#)
        }
        for none in ["{}", #"{"payloads":null}"#, #"{"payloads":[]}"#] {
            #expect(try fixture.ask(.codec("decode", bytes(none))).text == #"{"payloads":[]}"#)
        }
    }

    private func broken(_ text: String, every width: Int, with end: String) -> String {
        let characters = Array(text.utf8)
        return stride(from: 0, to: characters.count, by: width).map {
            String(decoding: characters[$0..<min($0 + width, characters.count)], as: UTF8.self) + end
        }.joined()
    }

    @Test func `A reference's base64 may have line breaks, and other payloads pass through unchanged`() throws {
        let fixture = try ServiceFixture(codec: CodecLimits(minimumSize: 1000))
        let payload = JSONPayload(randomPayload(5000))
        let reference = try fixture.codec("encode", [payload])[0]
        func base64(_ bytes: Data) -> String { broken(bytes.base64EncodedString(), every: 60, with: #"\n"#) }
        let members = reference.metadata.map { #""\#($0)":"\#(base64($1))""# }.joined(separator: ",")
        let small = #"{"metadata":{"encoding":"anNvbi9wbGFpbg==\n"},"data":"IkhlbGxvIg==\n"}"#
        let body = #"{"payloads":[\#(small),{"metadata":{\#(members)},"data":"\#(base64(reference.data))"}]}"#
        let answer = try fixture.ask(.codec("decode", bytes(body)))
        #expect(answer.text.hasPrefix(#"{"payloads":[\#(small),"#))
        let decoded = Data(answer.text.dropFirst(#"{"payloads":["#.count + small.count + 1).dropLast(2).utf8)
        #expect(try JSONDecoder().decode(JSONPayload.self, from: decoded) == payload)
    }

    @Test func `Both base64 alphabets are read, with escapes and line breaks, with and without padding`() throws {
        let fixture = try ServiceFixture(codec: CodecLimits(minimumSize: 0))
        // Every base64 digit occurs, and two bytes remain at the end.
        let payload = JSONPayload((0..<20_000).map { UInt8(truncatingIfNeeded: $0 &* 167) })
        let standard = payload.data.base64EncodedString()
        let urlSafe = standard.replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
        let texts = [
            standard, urlSafe, standard.replacingOccurrences(of: "=", with: ""),
            standard.replacingOccurrences(of: "/", with: "\\/").replacingOccurrences(of: "=", with: "\\u003d"),
            // Line breaks as from the MIME encoders of Ruby and Python, and of Java.
            broken(standard, every: 60, with: "\\n"), broken(standard, every: 76, with: "\\r\\n"),
        ]
        let encoded = try texts.map { text in
            let encoding = text.contains("\\n") ? #"YmluYXJ5L3BsYWlu\n"# : "YmluYXJ5L3BsYWlu"
            let body = #"{"payloads":[{"data":"\#(text)","metadata":{"encoding":"\#(encoding)"}}]}"#
            return try fixture.ask(.codec("encode", bytes(body))).payloads[0]
        }
        #expect(Set(encoded.map(\.data)).count == 1)
        #expect(try fixture.codec("decode", [encoded[0]]) == [payload])
    }

    @Test func `Metadata names that are equal in Unicode but not in bytes stay distinct`() throws {
        let fixture = try ServiceFixture(codec: CodecLimits(minimumSize: 0))
        let body = #"{"payloads":[{"metadata":{"\u00e9":"MQ==","e\u0301":"Mg=="},"data":"aGk="}]}"#
        let encoded = try fixture.ask(.codec("encode", bytes(body)))
        let decoded = try fixture.ask(.codec("decode", encoded.body))
        let expected = "{\"payloads\":[{\"metadata\":{\"e\u{301}\":\"Mg==\",\"\u{E9}\":\"MQ==\"},\"data\":\"aGk=\"}]}"
        #expect(decoded.body == bytes(expected))
    }
}
