import Foundation
import PayloadKey
import TestSupport
import Testing

@testable import PayloadService

/// Payloads that pass through another codec server. `EncryptingCodecTests` does so over HTTP.
@Suite(.runLimit) struct CodecChainTests {
    private let limits = CodecLimits(minimumSize: 500, answerLimit: 100_000)
    private let large = JSONPayload(randomPayload(2000), metadata: ["encoding": "binary/plain", "a": "1"])
    private let small = JSONPayload(Array("small".utf8))

    private func fixture(
        _ codec: FakeCodec,
        _ setup: Setup = Setup.all[0],
        maximumPayload: UInt64 = PayloadService.defaultMaximumPayload
    ) throws -> ServiceFixture {
        try ServiceFixture(setup, maximumPayload: maximumPayload, codec: limits, next: codec)
    }

    @Test(arguments: Setup.all)
    func `The next codec server encodes payloads before they are stored, and decodes them after they are fetched`(
        setup: Setup
    ) throws {
        let codec = FakeCodec()
        let fixture = try fixture(codec, setup)
        let encoded = try fixture.codec("encode", [large, small])
        let reference = try PayloadReference(parsing: Array(encoded[0].data))
        #expect(reference.metadata["encoding"] == Array("binary/encrypted".utf8))
        let key = String(decoding: reference.key, as: UTF8.self)
        let stored = try fixture.ask(.get(key, length: Int(reference.size)))
        #expect(try FakeCodec.decrypt(Data(stored.body)) == large, "what is stored is the ciphertext")
        #expect(encoded[1].metadata["encoding"] == Data("binary/encrypted".utf8), "small payloads are encrypted, too")
        #expect(try fixture.codec("decode", encoded) == [large, small])
        #expect(try fixture.codec("download", [encoded[0]]) == [large])
        #expect(codec.requests.map(\.operation) == [.encode, .decode, .decode])
    }

    @Test func `The next codec server gets the namespace and the caller's credentials, and no other header`() throws {
        let codec = FakeCodec()
        let fixture = try fixture(codec)
        let body = try JSONPayloads([small]).json
        for operation in ["encode", "decode", "a b/decode"] {
            let namespace = operation.contains("/") ? nil : "ns"
            let asked = Asked.codec(operation, body, namespace: namespace).with {
                $0.headers.authorization = sent("Bearer of-the-caller")
                $0.headers.authorizationExtras = sent("extra")
                $0.headers.cookie = sent("a=b; ü=1")
                $0.headers.ifMatch = sent("\"x\"")
            }
            #expect(try fixture.ask(asked).status == 200)
            let request = try #require(codec.requests.last)
            let expected = namespace ?? "a b"
            #expect(request.namespace?.description == expected)
            #expect(
                request.headers == [
                    "X-Namespace: \(expected)", "Authorization: Bearer of-the-caller", "Authorization-Extras: extra",
                    "Cookie: a=b; ü=1",
                ]
            )
        }
        #expect(try fixture.ask(.codec("decode", body, namespace: nil)).status == 200)
        #expect(codec.requests.last?.headers == [])
        for (value, name) in [("a\nX-Other: b", "Authorization"), ("\u{7F}", "Authorization")] {
            let asked = Asked.codec("decode", body).with { $0.headers.authorization = sent(value) }
            let message = "header \(name) has characters that can't be passed on"
            expectRefusal(try fixture.ask(asked), 400, message)
        }
        codec.needsNamespace = true
        let message =
            "namespace is required, in the path or in the header X-Namespace: codec server http://next needs it"
        expectRefusal(try fixture.ask(.codec("decode", body, namespace: nil)), 400, message)
    }

    @Test func `Callers that may not use the namespace never reach the next codec server`() throws {
        let codec = FakeCodec()
        let fixture = try fixture(codec)
        for operation in ["encode", "decode"] {
            let asked = try Asked.codec(operation, JSONPayloads([small]).json).with { $0.allowed = "other" }
            #expect(try fixture.ask(asked).status == 403)
        }
        #expect(codec.requests.isEmpty)
    }

    @Test func `Payloads that can't be decoded here pass through the next codec server, and stay in the header`() throws
    {
        let codec = FakeCodec()
        let fixture = try fixture(codec)
        var encoded = try fixture.codec("encode", [large, small])
        let digest = try PayloadReference(parsing: Array(encoded[0].data)).digest
        let missing = String(decoding: encoded[0].data, as: UTF8.self).replacing("\(digest)", with: Stack.digest([]))
        encoded.append(encoded[0])
        encoded[0].data = Data(missing.utf8)
        let answer = try fixture.ask(.codec("decode", JSONPayloads(encoded).json))
        #expect(answer.headers["X-LPS-Undecoded"] == #"0;reason="blob not found""#)
        #expect(try answer.payloads == [encoded[0], small, large])
    }

    @Test func `A refusal of the next codec server becomes one with its first line`() throws {
        for (status, text, expected, shown) in [
            (400, "no key\nsecond", 400, ": no key"), (401, "who?", 403, ": who?"),
            (403, "not you\r\n", 403, ": not you"),
            (404, "", 400, ""), (302, "moved\u{1B}[1m", 400, ": moved\\u{1B}[1m"),
            (422, String(repeating: "x", count: 100_000), 400, ": " + String(repeating: "x", count: 1024) + "…"),
        ] {
            let codec = FakeCodec { _, _ in (status, bytes(text)) }
            let fixture = try fixture(codec)
            for operation in ["encode", "decode"] {
                let answer = try fixture.ask(.codec(operation, JSONPayloads([large]).json))
                expectRefusal(answer, expected, "codec server http://next answered status \(status)\(shown)")
            }
            #expect(fixture.log.lines.isEmpty)
            #expect(try fixture.store.contents().isEmpty)
        }
    }

    @Test func `A failure of the next codec server is a temporary error, logged once without credentials`() throws {
        let two = #"{"payloads":[{},{}]}"#
        let failures: [(String, @Sendable () throws -> (Int, [UInt8]))] = [
            (": gone", { throw NextCodecError("gone") }),
            (" answered status 500: it\\tfails", { (500, bytes("\n\nit\tfails\n")) }),
            (" answered status 502", { (502, []) }), (" answered status 429: slow", { (429, bytes("slow")) }),
            (" answered status 408", { (408, []) }), (" answered status 204", { (204, []) }),
            (" answered 2 payloads for 1", { (200, bytes(two)) }),
            (" answered 0 payloads for 1", { (200, bytes("{}")) }),
            (" answered no valid payloads: body is not a JSON object of payloads: …", { (200, bytes("<html>")) }),
            (
                " answered no valid payloads: payload 0: its data is not valid base64",
                { (200, bytes(#"{"payloads":[{"data":"!"}]}"#)) }
            ),
            (
                " answered no valid payloads: body is not a JSON object of payloads: …",
                { (200, bytes(#"{"payloads":[{}"#)) }
            ),
        ]
        for (message, answer) in failures {
            let codec = FakeCodec { _, _ in try answer() }
            let fixture = try fixture(codec)
            for operation in ["encode", "decode", "download"] {
                // A download needs a reference.
                var body = try JSONPayloads([large]).json
                if operation == "download" {
                    codec.script = nil
                    body = try JSONPayloads(fixture.codec("encode", [large])).json
                    codec.script = { _, _ in try answer() }
                }
                let linesBefore = fixture.log.lines.count
                let asked = Asked.codec(operation, body).with { $0.headers.authorization = sent("secret") }
                let refusal = try fixture.ask(asked)
                expectRefusal(refusal, 503, "codec server http://next\(message)", operation)
                #expect(refusal.headers["Retry-After"] == "5")
                let lines = fixture.log.lines.dropFirst(linesBefore)
                #expect(lines.count == 1 && lines.first?.contains("error next codec server failed") == true, "\(lines)")
                #expect(!fixture.log.text.contains("secret"))
            }
        }
    }

    @Test func `An answer of the next codec server that is too long is refused`() throws {
        let codec = FakeCodec { _, _ in (200, Array(repeating: UInt8(ascii: " "), count: 3 << 20)) }
        let fixture = try fixture(codec, maximumPayload: 1 << 20)
        let body = try JSONPayloads([small]).json
        let encoded = try fixture.ask(.codec("encode", body))
        expectRefusal(encoded, 413, "codec server http://next answered over 1048576 bytes, the max size of a body")
        let decoded = try fixture.ask(.codec("decode", body))
        let limit = limits.answerLimit + CodecChain.room
        let message = "codec server http://next answered over \(limit) bytes, decode fewer payloads at once"
        expectRefusal(decoded, 400, message)
    }

    @Test func `One payload over the answer limit can be downloaded`() throws {
        let fixture = try fixture(FakeCodec())
        let payload = JSONPayload(randomPayload(2 << 20))
        #expect(try fixture.codec("download", fixture.codec("encode", [payload])) == [payload])
    }

    @Test func `The answer limit can be the largest number`() throws {
        let codec = CodecLimits(minimumSize: 500, answerLimit: .max)
        let fixture = try ServiceFixture(codec: codec, next: FakeCodec())
        #expect(try fixture.codec("decode", fixture.codec("encode", [large, small])) == [large, small])
    }

    @Test func `A request whose time ends while the next codec server works has timed out`() throws {
        let codec = FakeCodec { request, _ in
            while let deadline = request.deadline, deadline > .now { usleep(1000) }
            throw NextCodecError("timed out")
        }
        let fixture = try fixture(codec)
        let trace = RequestTrace(timeout: .milliseconds(100))
        let answer = try fixture.ask(.codec("encode", JSONPayloads([small]).json), trace)
        expectRefusal(answer, 503, "the request took over 0.1 seconds, and was given up while parsing")
        #expect(trace.isTimedOut)
    }
}
