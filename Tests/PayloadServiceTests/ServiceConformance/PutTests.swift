import Foundation
import TestSupport
import Testing

@testable import PayloadService

/// The wire contract's accepted uploads.
@Suite(.runLimit) struct PutTests {
    @Test(arguments: Setup.all)
    func `Each worked example is answered 201, then 200, with the contract's key, and can be downloaded`(setup: Setup)
        throws
    {
        let fixture = try ServiceFixture(setup)
        for vector in PutVector.all {
            let asked = Asked.put(vector.payload, namespace: vector.namespace, digest: vector.digest).with {
                $0.headers.temporalMetadata = sent(vector.xTemporalMetadata)
            }
            for status in [201, 200] {
                let answer = try fixture.ask(asked)
                #expect(answer.status == status, "\(vector.name)")
                #expect(answer.headers["Content-Type"] == "application/json")
                #expect(answer.text == "{\"Key\":\"\(vector.key)\"}\n", "\(vector.name)")
            }
            #expect(try fixture.ask(.get(vector.key, length: vector.size)).body == vector.payload)
        }
    }

    @Test(arguments: Setup.all)
    func `Content stored under another key is answered 201 under a new key`(setup: Setup)
        throws
    {
        let fixture = try ServiceFixture(setup)
        let keys = try [("a", "{}"), ("b", "{}"), ("a", #"{"x":"MQ=="}"#)].map { namespace, metadata in
            let answer = try fixture.put(helloWorld, namespace: namespace, metadata: metadata)
            #expect(answer.status == 201)
            return try answer.key
        }
        #expect(Set(keys).count == 3)
        for key in keys { #expect(try fixture.ask(.get(key, length: 11)).body == helloWorld) }
    }

    @Test(arguments: Setup.all)
    func `The digest is verified even if the key exists, and a wrong body changes nothing`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup)
        let key = try fixture.store(helloWorld)
        let contents = try fixture.store.contents()
        for wrong in ["hello worle", "", "hello world!"] {
            expectRefusal(try fixture.ask(.put(bytes(wrong), digest: helloWorldDigest)), 400, "checksum mismatch")
        }
        #expect(try fixture.store.contents() == contents)
        #expect(try fixture.ask(.get(key, length: 11)).body == helloWorld)
        #expect(try fixture.put(helloWorld).status == 200)
    }

    @Test(arguments: Setup.all)
    func `A payload of any size up to the maximum is stored and downloaded whole`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup, maximumPayload: 1_000_000)
        for size in [0, 1, 65_536, 65_537, 1_000_000] {
            let payload = randomPayload(size)
            let answer = try fixture.ask(.get(fixture.store(payload), length: size))
            #expect(answer.status == 200)
            // Compared outside the expectation, which would print both.
            let isWhole = answer.body == payload
            #expect(isWhole, "\(size) bytes")
        }
    }

    @Test(arguments: Setup.all)
    func `A query is percent-decoded, a plus is a space, and the first of two values counts`(setup: Setup) throws {
        let escaped = helloWorldDigest.replacingOccurrences(of: ":", with: "%3A")
        let answer = try ServiceFixture(setup).ask(
            .put(helloWorld).with {
                $0.query = "x=1&&y=a=b&n%61mespace=a+b%C3%A9&namespace=other&=z&digest=\(escaped)&digest=x"
            }
        )
        #expect(answer.status == 201)
        #expect(try answer.key.hasPrefix("/blobs/a bé/common/"))
    }

    @Test(arguments: Setup.all)
    func `Payloads of every valid namespace are stored and downloaded, and no two namespaces are one`(setup: Setup)
        throws
    {
        let fixture = try ServiceFixture(setup)
        let namespaces = [
            "...", "a b+c", "é", "e\u{301}", "日本", "%2F", "\"<&>'\\", "?#;=", "\u{2028}",
            String(repeating: "é", count: 100),
        ]
        let keys = try namespaces.map { namespace in
            let key = try fixture.store(helloWorld, namespace: namespace)
            #expect(bytes(key).starts(with: bytes("/blobs/\(namespace)/common/")))
            #expect(try fixture.ask(.get(key, length: 11)).body == helloWorld, "\(namespace)")
            return bytes(key)
        }
        #expect(Set(keys).count == namespaces.count)
    }

    @Test(arguments: Setup.all)
    func `Other metadata makes another key, even if only bytes differ, and the prefix is part of the key`(setup: Setup)
        throws
    {
        let fixture = try ServiceFixture(setup)
        let composed = try fixture.store(helloWorld, metadata: "{\"\u{E9}\":\"MQ==\"}")
        let decomposed = try fixture.store(helloWorld, metadata: "{\"e\u{301}\":\"MQ==\"}")
        #expect(composed != decomposed)
        for (prefix, part) in [("team/a", "custom/team/a"), ("/a//b/", "custom//a//b/"), ("", "common")] {
            let answer = try fixture.ask(.put(helloWorld).with { $0.prefix(prefix) })
            #expect(try answer.key.hasPrefix("/blobs/ns/\(part)/sha256:"), "\(prefix)")
            #expect(try fixture.ask(.get(answer.key, length: 11)).body == helloWorld)
        }
    }
}
