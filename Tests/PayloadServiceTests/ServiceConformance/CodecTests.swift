import Foundation
import PayloadKey
import TestSupport
import Testing

@testable import PayloadService

/// Temporal's codec server: large payloads become references, and references become payloads.
@Suite(.runLimit) struct CodecTests {
    private static let versionName = "temporal.io/remote-codec"

    @Test(arguments: Setup.all)
    func `A large payload becomes a reference and is decoded again, a small one stays unchanged`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup)
        let payloads = [
            JSONPayload(randomPayload(200_000)), JSONPayload(bytes("small")),
            JSONPayload(randomPayload(200_001), metadata: ["a": "1", "remote-codec/key-prefix": "team/a"]),
            JSONPayload([], metadata: [:]),
        ]
        let encoded = try fixture.codec("encode", payloads)
        #expect(encoded.count == 4)
        #expect([encoded[1], encoded[3]] == [payloads[1], payloads[3]])
        for index in [0, 2] {
            #expect(
                encoded[index].metadata == ["encoding": Data("json/plain".utf8), Self.versionName: Data("v2".utf8)]
            )
            let reference = try PayloadReference(parsing: Array(encoded[index].data))
            #expect(reference.size == UInt64(payloads[index].data.count))
            #expect(reference.digest == Digest(of: payloads[index].data))
        }
        #expect(String(decoding: encoded[2].data, as: UTF8.self).contains("/blobs/ns/custom/team/a/sha256:"))
        for _ in 0..<2 {
            #expect(try fixture.codec("decode", encoded) == payloads)
            let downloaded = try fixture.codec("download", [encoded[0], encoded[2]])
            #expect(downloaded == [payloads[0], payloads[2]])
            try fixture.restart()
        }
    }

    @Test(arguments: Setup.all)
    func `References of the existing codec are reproduced and decoded`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup, codec: CodecLimits(minimumSize: 32))
        for vector in CodecVector.all {
            let payload = JSONPayload(vector.data, metadata: vector.metadata)
            let body = try JSONPayloads([payload]).json
            let encoded = try fixture.ask(.codec("test/encode", body, namespace: nil)).payloads
            #expect(Array(encoded[0].data) == vector.encoded, "\(vector.name)")
            #expect(try fixture.codec("decode", encoded) == [payload])
        }
    }

    @Test func `The threshold counts the serialized payload: a tag, its length and the data`() throws {
        let fixture = try ServiceFixture()
        let payloads = [127_996, 127_997].map { JSONPayload(randomPayload($0), metadata: [:]) }
        let encoded = try fixture.codec("encode", payloads)
        #expect(encoded[0] == payloads[0])
        #expect(encoded[1].metadata[Self.versionName] != nil)
    }

    @Test func `The namespace comes from the path or the header, which must agree, and encoding needs one`() throws {
        let fixture = try ServiceFixture(codec: CodecLimits(minimumSize: 100))
        let body = try JSONPayloads([JSONPayload(randomPayload(1000))]).json
        for (operation, header, namespace) in [
            ("encode", "head", "head"), ("path/encode", nil, "path"), ("path/encode", "path", "path"),
            ("a b/encode", nil, "a b"), ("encode/encode", nil, "encode"),
        ] {
            let answer = try fixture.ask(.codec(operation, body, namespace: header))
            let reference = try PayloadReference(parsing: Array(answer.payloads[0].data))
            #expect(reference.key.starts(with: bytes("/blobs/\(namespace)/common/")), "\(operation)")
        }
        let required = "namespace is required, in the path or in the header X-Namespace"
        expectRefusal(try fixture.ask(.codec("encode", body, namespace: nil)), 400, required)
        for (operation, header, name) in [("encode", "a/b", "a/b"), ("../encode", nil, ".."), ("/encode", nil, "")] {
            let answer = try fixture.ask(.codec(operation, body, namespace: header))
            expectRefusal(answer, 400, "invalid namespace '\(name)': namespace …", operation)
        }
        for operation in ["encode", "decode", "download"] {
            expectRefusal(
                try fixture.ask(.codec("path/\(operation)", body, namespace: "head")),
                400,
                "the path names namespace 'path', but the header X-Namespace 'head'"
            )
            // A client that does not replace the placeholder in the URL.
            for (path, header) in [("{namespace}/\(operation)", nil), (operation, "{namespace}")] {
                expectRefusal(
                    try fixture.ask(.codec(path, body, namespace: header)),
                    400,
                    "namespace is the placeholder '{namespace}': …"
                )
            }
        }
        #expect(try fixture.ask(.codec("decode", bytes(#"{"payloads":[]}"#), namespace: nil)).status == 200)
    }

    @Test func `Unknown paths and methods of the codec server are refused`() throws {
        let fixture = try ServiceFixture()
        let body = bytes(#"{"payloads":[]}"#)
        for path in ["", "x", "decode/", "a/b/decode", "a/decoded", "a/encode/x", "Decode"] {
            expectRefusal(try fixture.ask(.codec(path, body)), 404, "unknown path '/codec/\(path)'")
        }
        for path in ["/codec", "/codecs/decode", "/codecdecode", "codec/decode", "/decode"] {
            let answer = try fixture.ask(.codec("decode", body).with { $0.path = path })
            expectRefusal(answer, 404, "unknown path '\(path)'")
        }
        for (prefix, path) in [("/a/b", "/a/b/decode"), ("/a/b", "/a/b/ns/decode"), ("", "/decode")] {
            let answer = try fixture.ask(
                .codec("decode", body).with {
                    $0.codecPrefix = prefix
                    $0.path = path
                }
            )
            #expect(answer.status == 200, "\(prefix), \(path)")
        }
        for method in ["GET", "PUT", "HEAD", "DELETE", "post"] {
            let answer = try fixture.ask(.codec("decode", body).with { $0.method = method })
            expectRefusal(answer, 405, "method \(method) is not allowed, use POST")
            #expect(answer.headers["Allow"] == "POST")
        }
        for prefix in [nil, "/other", "/codec/x"] {
            let answer = try fixture.ask(.codec("decode", body).with { $0.codecPrefix = prefix })
            expectRefusal(answer, 404, "unknown path '/codec/decode'", "the codec server is at \(prefix ?? "none")")
        }
    }

    @Test(arguments: Setup.all)
    func `Equal payloads of one request, or of a repeated one, are stored once`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup, codec: CodecLimits(minimumSize: 100))
        let payload = JSONPayload(randomPayload(1000))
        let encoded = try fixture.codec("encode", [payload, payload])
        #expect(encoded[0] == encoded[1])
        let contents = try fixture.store.contents()
        #expect(contents.count == (setup.store == .disk ? 2 : 1), "on disk, content and key")
        #expect(try fixture.codec("encode", [payload]) == [encoded[0]])
        #expect(try fixture.store.contents() == contents)
        #expect(try fixture.codec("decode", encoded + encoded) == [payload, payload, payload, payload])
    }
}
