import PayloadKey
import TestSupport
import Testing

@testable import PayloadService

/// What is answered when there is no room: of the disk, or in a quota.
@Suite(.runLimit) struct FullTests {
    @Test(arguments: Setup.disk)
    func `What is announced of a stream counts before a byte has come, and a file is there already`(setup: Setup) throws
    {
        let fixture = try ServiceFixture(setup, maximumPayload: .max)
        let answer = try fixture.ask(.put(helloWorld).with { $0.headers.contentLength = bytes("\(UInt64.max / 2)") })
        switch setup.handover {
        case .files: expectRefusal(answer, 400, "checksum mismatch")
        case .streams: expectRefusal(answer, 507, "store has …")
        }
    }

    @Test(arguments: Setup.disk) func `Below the reserve every upload is 507, and nothing is left of it`(setup: Setup)
        throws
    {
        let fixture = try ServiceFixture(setup, reserve: .max)
        let missing = Asked.get("/blobs/ns/common/\(helloWorldDigest)/\(helloWorldDigest)", length: 11)
        expectRefusal(try fixture.ask(missing), 404, "blob not found", "a download is not an upload")
        for payload in [[], helloWorld] {
            let answer = try fixture.put(payload)
            expectRefusal(answer, 507, "store has …")
            #expect(answer.text.contains("the reserve of \(UInt64.max) bytes"))
        }
        #expect(fixture.log.text.contains("error no space for upload"))
        #expect(try fixture.store.contents().isEmpty)
    }

    @Test(arguments: Setup.disk)
    func `Below the reserve the codec server decodes, and takes nothing to store`(setup: Setup) throws {
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
            #expect(answer.text.contains("bytes free, 1000 more would touch the reserve"), "it is not written first")
        case .streams: expectRefusal(answer, 507, "store has …", "the body itself can't be kept")
        }
        #expect(trace.bytesIn == 0)
        #expect(try fixture.store.contents().isEmpty)
    }

    @Test(arguments: Setup.disk)
    func `A payload over the quota is 507, what is there is taken again and read`(setup: Setup) throws {
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
        #expect(try fixture.ask(Asked("HEAD", "/v2/health/head")).status == 200, "others can still store")
    }

    @Test(arguments: Setup.disk) func `A quota is asked before the body is looked at`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup, quota: { _ in 10 })
        let wrong = Asked.put(helloWorld).with { $0.body = bytes("hello worle") }
        expectRefusal(
            try fixture.ask(wrong),
            507,
            "namespace 'ns' has a quota of 10 bytes and uses 0, 11 more would exceed it"
        )
        #expect(try fixture.store.contents().isEmpty)
    }

    @Test(arguments: Setup.disk) func `The codec server's uploads count, and are refused`(setup: Setup) throws {
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

    /// nginx asks so when it could not write a body, see `UnwrittenUpload`.
    @Test(arguments: ["/v2/blobs/put", "/codec/encode", "/x"])
    func `A body that the web server could not write is 507 when the disk is why, and else its own failure`(
        path: String
    )
        throws
    {
        let failed = "the web server failed, its error log says how"
        func ask(_ fixture: ServiceFixture, file: String?, length: Int) throws -> Answer {
            var asked = Asked("PUT", "/lps/unwritten\(path)")
            asked.file = file
            asked.headers.contentLength = bytes("\(length)")
            return try fixture.ask(asked)
        }
        let (full, fixture) = (try ServiceFixture(reserve: .max), try ServiceFixture())
        let incoming = fixture.incoming
        let missing = "\(full.incoming)/missing"
        expectRefusal(try ask(full, file: missing, length: 11), 507, "store has …")
        expectRefusal(try ask(full, file: nil, length: 11), 500, failed, "no body")
        expectRefusal(try ask(full, file: "/elsewhere/1", length: 11), 500, failed, "nothing is known of its folder")
        expectRefusal(try ask(fixture, file: "\(incoming)/missing", length: 11), 500, failed, "there is room")
        let partial = "\(incoming)/partial"
        try write(helloWorld, to: partial)
        let message = "store had no room for all of an upload: 11 of 12 bytes were written"
        expectRefusal(try ask(fixture, file: partial, length: 12), 507, message)
    }
}
