import PayloadKey
import TestSupport
import Testing

@testable import PayloadService

/// What is answered when there is no room: of the disk, or in a quota.
@Suite(.timeLimit(.minutes(1))) struct FullTests {
    @Test func `An upload that would touch the reserve is 507, and what is stored is served`() throws {
        for setup in Setup.all {
            let fixture = try ServiceFixture(setup)
            let key = try fixture.store(helloWorld)
            let free = try fixture.store.storage.uploads.space().free
            // Another payload than any that could be stored: what is announced counts before a byte has come.
            let huge = Asked.put(helloWorld).with { $0.headers.contentLength = bytes("\(free)") }
            let answer = try ServiceFixture(setup, maximumPayload: .max).ask(huge)
            switch setup.handover {
            case .files: expectRefusal(answer, 400, "checksum mismatch", "the web server has written it already")
            case .streams: expectRefusal(answer, 507, "store has …")
            }
            #expect(try fixture.ask(.get(key, length: 11)).body == helloWorld)
        }
    }

    @Test(arguments: Setup.all) func `Below the reserve every upload is 507, and nothing is left of it`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup, reserve: .max)
        for payload in [[], helloWorld] {
            let answer = try fixture.put(payload)
            expectRefusal(answer, 507, "store has …")
            #expect(answer.text.contains("the reserve of \(UInt64.max) bytes"))
        }
        #expect(fixture.log.text.contains("error no space for an upload"))
        #expect(try fixture.store.contents().isEmpty)
    }

    @Test(arguments: Setup.all)
    func `Below the reserve the codec server answers what it need not store, and 507 for the rest`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup, reserve: .max, codec: CodecLimits(minimumSize: 100))
        let small = [JSONPayload(bytes("small"))]
        let decoded = try fixture.codec("decode", small)
        #expect(decoded == small)
        let large = try JSONPayloads([JSONPayload(randomPayload(1000))]).json
        expectRefusal(try fixture.ask(.codec("encode", large)), 507, setup.handover == .files ? "…" : "store has …")
        #expect(try fixture.store.contents().isEmpty)
    }

    @Test(arguments: Setup.withQuotas)
    func `A payload over the quota is 507, what is there is taken again and read`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup, quota: { $0.description == "ns" ? 10_000 : nil })
        let content = randomPayload(9_000)
        let key = try fixture.store(content)
        expectRefusal(
            try fixture.put(randomPayload(1_001)),
            507,
            "namespace 'ns' has a quota of 10000 bytes and uses 9000, 1001 more would exceed it"
        )
        #expect(fixture.log.text.contains("notice no room in a namespace's quota for an upload"))
        #expect(try fixture.put(content).status == 200)
        #expect(try fixture.ask(.get(key, length: content.count)).body == content)
        #expect(try fixture.put(randomPayload(20_000), namespace: "other").status == 201)
        #expect(try fixture.put(randomPayload(1_000)).status == 201)
        #expect(try fixture.put([1]).status == 507)
        #expect(try fixture.ask(Asked("HEAD", "/v2/health/head")).status == 200, "others can still store")
    }

    @Test(arguments: Setup.withQuotas) func `A quota is asked before the body is looked at`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup, quota: { _ in 10 })
        let wrong = Asked.put(helloWorld).with { $0.body = bytes("hello worle") }
        expectRefusal(
            try fixture.ask(wrong),
            507,
            "namespace 'ns' has a quota of 10 bytes and uses 0, 11 more would exceed it"
        )
        #expect(try fixture.store.contents().isEmpty)
    }

    @Test(arguments: Setup.withQuotas) func `The codec server's uploads count, and are refused`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup, quota: { _ in 3000 }, codec: CodecLimits(minimumSize: 100))
        let first = [JSONPayload(randomPayload(2000))]
        let encoded = try fixture.codec("encode", first)
        let answer = try fixture.ask(.codec("encode", JSONPayloads([JSONPayload(randomPayload(2000))]).json))
        expectRefusal(
            answer,
            507,
            "namespace 'ns' has a quota of 3000 bytes and uses 2000, 2000 more would exceed it"
        )
        #expect(try fixture.codec("encode", first) == encoded)
    }
}
