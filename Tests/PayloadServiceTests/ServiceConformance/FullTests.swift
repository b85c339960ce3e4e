import PayloadKey
import TestSupport
import Testing

@testable import PayloadService

/// Answers when the disk or a quota has no room.
@Suite(.runLimit) struct FullTests {
    @Test(arguments: Setup.disk)
    func `A stream's Content-Length counts against free space before its first byte, a file's does not`(setup: Setup)
        throws
    {
        let fixture = try ServiceFixture(setup, maximumPayload: .max)
        let answer = try fixture.ask(.put(helloWorld).with { $0.headers.contentLength = sent("\(UInt64.max / 2)") })
        switch setup.handover {
        case .files: expectRefusal(answer, 400, "checksum mismatch")
        case .streams: expectRefusal(answer, 507, "store has …")
        }
    }

    @Test(arguments: Setup.disk) func `Below the reserve every upload is refused with 507 and leaves nothing`(
        setup: Setup
    )
        throws
    {
        let fixture = try ServiceFixture(setup, reserve: .max)
        let missing = Asked.get("/blobs/ns/common/\(helloWorldDigest)/\(helloWorldDigest)", length: 11)
        expectRefusal(try fixture.ask(missing), 404, "blob not found", "the reserve does not affect downloads")
        for payload in [[], helloWorld] {
            let answer = try fixture.put(payload)
            expectRefusal(answer, 507, "store has …")
            #expect(answer.text.contains("the reserve of \(UInt64.max) bytes"))
        }
        #expect(fixture.log.text.contains("error no space for upload"))
        #expect(try fixture.store.contents().isEmpty)
    }

    @Test(arguments: Setup.disk)
    func `Below the reserve the codec server decodes and stores nothing`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup, reserve: .max, codec: CodecLimits(minimumSize: 100))
        let small = [JSONPayload(bytes("small"))]
        #expect(try fixture.codec("decode", small) == small)
        let trace = RequestTrace()
        let large = try JSONPayloads([JSONPayload(randomPayload(1000))]).json
        let answer = try fixture.ask(.codec("encode", large), trace)
        switch setup.handover {
        case .files:
            #expect(try fixture.codec("encode", small) == small)
            expectRefusal(answer, 507, "store has …")
            #expect(
                answer.text.contains("bytes free, 1000 more would touch the reserve"),
                "it is refused before it is written"
            )
        case .streams: expectRefusal(answer, 507, "store has …", "even the body cannot be buffered")
        }
        #expect(trace.bytesIn == 0)
        #expect(try fixture.store.contents().isEmpty)
    }

    @Test(arguments: Setup.disk)
    func `A payload over the quota is refused with 507, and stored ones can be stored again and read`(setup: Setup)
        throws
    {
        let fixture = try ServiceFixture(setup, quota: { $0.description == "ns" ? 10_000 : nil })
        let content = randomPayload(9_000)
        let key = try fixture.store(content)
        expectRefusal(
            try fixture.put(randomPayload(1_001)),
            507,
            "namespace 'ns' has a quota of 10000 bytes and uses 9000, 1001 more would exceed it"
        )
        #expect(fixture.log.text.contains("notice namespace quota exceeded"))
        #expect(try fixture.put(content).status == 200)
        #expect(try fixture.ask(.get(key, length: content.count)).body == content)
        #expect(try fixture.put(randomPayload(20_000), namespace: "other").status == 201)
        #expect(try fixture.put(randomPayload(1_000)).status == 201)
        #expect(try fixture.put([1]).status == 507)
        #expect(try fixture.ask(Asked("HEAD", "/v2/health/head")).status == 200, "other namespaces can still store")
    }

    @Test(arguments: Setup.disk) func `The quota is checked before the body is read`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup, quota: { _ in 10 })
        let wrong = Asked.put(helloWorld).with { $0.body = bytes("hello worle") }
        expectRefusal(
            try fixture.ask(wrong),
            507,
            "namespace 'ns' has a quota of 10 bytes and uses 0, 11 more would exceed it"
        )
        #expect(try fixture.store.contents().isEmpty)
    }

    @Test(arguments: Setup.disk) func `The codec server's uploads count against the quota and can be refused`(
        setup: Setup
    ) throws {
        let fixture = try ServiceFixture(setup, quota: { _ in 3000 }, codec: CodecLimits(minimumSize: 100))
        let first = [JSONPayload(randomPayload(2000))]
        let encoded = try fixture.codec("encode", first)
        let trace = RequestTrace()
        let answer = try fixture.ask(.codec("encode", JSONPayloads([JSONPayload(randomPayload(2000))]).json), trace)
        #expect(trace.bytesIn == 0, "it is refused before it is written and hashed")
        expectRefusal(
            answer,
            507,
            "namespace 'ns' has a quota of 3000 bytes and uses 2000, 2000 more would exceed it"
        )
        #expect(try fixture.codec("encode", first) == encoded)
    }

    /// nginx sends this request when it could not write a body; see `UnwrittenUpload`.
    @Test(arguments: ["/v2/blobs/put", "/codec/encode", "/x"])
    func `A body that the web server could not write is answered 507 if the disk is full, else 500`(
        path: String
    )
        throws
    {
        let failed = "the web server failed, its error log says how"
        func ask(_ fixture: ServiceFixture, file: String?, length: Int) throws -> Answer {
            var asked = Asked("PUT", "/lps/unwritten\(path)")
            asked.file = file
            asked.headers.contentLength = sent("\(length)")
            return try fixture.ask(asked)
        }
        let (full, fixture) = (try ServiceFixture(reserve: .max), try ServiceFixture())
        let incoming = fixture.incoming
        let missing = "\(full.incoming)/missing"
        expectRefusal(try ask(full, file: missing, length: 11), 507, "store has …")
        expectRefusal(try ask(full, file: nil, length: 11), 500, failed, "no body")
        expectRefusal(try ask(full, file: "/elsewhere/1", length: 11), 500, failed, "a folder of no store")
        expectRefusal(try ask(fixture, file: "\(incoming)/missing", length: 11), 500, failed, "the disk has room")
        let partial = "\(incoming)/partial"
        try write(helloWorld, to: partial)
        let message = "store had no room for all of an upload: 11 of 12 bytes were written"
        expectRefusal(try ask(fixture, file: partial, length: 12), 507, message)
    }
}
