import PayloadKey
import TestSupport
import Testing

@testable import PayloadService

/// Records what a trace tells its observer.
final class Observer: RequestObserver {
    private(set) var ended: [RequestTrace.Phase] = []
    /// The sum of the phases' durations in nanoseconds.
    private(set) var took: UInt64 = 0
    var pieces = 0
    var onPiece: () -> Void = {}

    func phaseEnded(_ phase: RequestTrace.Phase, after took: UInt64, of trace: RequestTrace, at now: UInt64) {
        ended.append(phase)
        self.took += took
    }

    func advanced(at now: UInt64) {
        pieces += 1
        onPiece()
    }
}

/// What a request's trace counts for the status page, the metrics and the access log.
@Suite(.runLimit) struct TraceTests {
    /// Sends a request and returns its trace.
    private func trace(_ fixture: ServiceFixture, _ asked: Asked, status: Int) throws -> RequestTrace {
        let trace = RequestTrace()
        let answer = try fixture.ask(asked, trace)
        #expect(answer.status == status, "\(answer.text.prefix(300))")
        return trace
    }

    @Test(arguments: Setup.all)
    func `An upload counts its bytes after verification, and counts as deduplicated if its content existed`(
        setup: Setup
    ) throws {
        let fixture = try ServiceFixture(setup)
        for (asked, status, deduplicated) in [
            (Asked.put(helloWorld), 201, 0), (Asked.put(helloWorld), 200, 1),
            (Asked.put(helloWorld, namespace: "other"), 201, setup.store == .disk ? 1 : 0),
        ] {
            let trace = try trace(fixture, asked, status: status)
            #expect(trace.endpoint == .put)
            #expect(trace.stored == 1)
            #expect(trace.deduplicated == deduplicated)
            #expect((trace.bytesIn, trace.bytesOut) == (11, 0))
            #expect(trace.digest == Digest(of: helloWorld))
        }
        let wrong = try trace(fixture, .put([1], digest: helloWorldDigest), status: 400)
        #expect((wrong.mismatches, wrong.stored) == (1, 0))
        #expect(wrong.bytesIn == 0)
        let forbidden = try trace(fixture, .put(helloWorld).with { $0.allowed = "" }, status: 403)
        #expect(forbidden.mismatches == 0)
        #expect(forbidden.namespace?.description == "ns")
        #expect(forbidden.digest == nil)
    }

    @Test(arguments: Setup.all) func `A download counts the bytes sent, by the service or by the web server`(
        setup: Setup
    ) throws {
        let fixture = try ServiceFixture(setup)
        let get = Asked.get(try fixture.store(helloWorld), length: 11)
        for (asked, status, sent) in [
            (get, 200, 11),
            (get.with { $0.headers.range = sent("bytes=6-") }, setup.handover == .files ? 200 : 206, 5),
            (get.with { $0.headers.range = sent("bytes=11-") }, 416, 0),
            (get.with { $0.headers.ifNoneMatch = sent("*") }, 304, 0),
            (get.with { $0.headers.expectedContentLength = sent("12") }, 412, 0),
        ] as [(Asked, Int, UInt64)] {
            let trace = try trace(fixture, asked, status: status)
            #expect(trace.endpoint == .get)
            #expect(trace.bytesOut == sent)
            #expect(trace.bytesIn == 0)
            #expect(trace.namespace?.description == "ns")
            #expect(trace.digest == Digest(of: helloWorld))
        }
    }

    @Test(arguments: Setup.all) func `The codec server counts stored payloads and sent bytes`(
        setup: Setup
    ) throws {
        let fixture = try ServiceFixture(setup, codec: CodecLimits(minimumSize: 100))
        let payloads = [JSONPayload(randomPayload(1000)), JSONPayload([1]), JSONPayload(randomPayload(2000))]
        let body = try JSONPayloads(payloads).json
        for deduplicated in [0, 2] {
            let encoded = try trace(fixture, .codec("encode", body), status: 200)
            #expect(encoded.endpoint == .encode)
            #expect((encoded.stored, encoded.deduplicated) == (2, deduplicated))
            #expect((encoded.bytesIn, encoded.bytesOut) == (3000, 0))
        }
        let references = try fixture.ask(.codec("encode", body)).body
        for (operation, endpoint) in [("decode", RequestTrace.Endpoint.decode), ("ns/decode", .decode)] {
            let trace = RequestTrace()
            let answer = try fixture.ask(.codec(operation, references), trace)
            #expect(trace.endpoint == endpoint)
            #expect(trace.bytesOut == UInt64(answer.body.count))
            #expect((trace.stored, trace.bytesIn) == (0, 0))
        }
        #expect(try trace(fixture, .codec("download", body), status: 400).endpoint == .download)
    }

    @Test func `Each path counts for its endpoint, even if the request fails`() throws {
        let fixture = try ServiceFixture()
        for (path, status, endpoint) in [
            ("/lps/ping", 200, .ping), ("/lps/ready", 200, .health), ("/v2/health/head", 405, .health),
            ("/v2/blobs/put", 405, .put), ("/v2/blobs/get", 400, .get), ("/codec/decode", 405, .decode),
            ("/codec/ns/encode", 405, .encode), ("/x", 404, .unknown), ("/lps/unwritten/v2/blobs/put", 500, .put),
            ("/lps/unwritten/codec/encode", 500, .encode), ("/lps/unwritten/x", 500, .unknown),
        ] as [(String, Int, RequestTrace.Endpoint)] {
            let trace = try trace(fixture, Asked("GET", path), status: status)
            #expect(trace.endpoint == endpoint, "\(path)")
        }
    }

    @Test(arguments: Setup.all) func `An upload passes its phases in order, each with its time`(
        setup: Setup
    ) throws {
        let fixture = try ServiceFixture(setup)
        let trace = RequestTrace()
        let observer = Observer()
        trace.observer = observer
        _ = try fixture.ask(.put(helloWorld), trace)
        #expect(observer.ended == [.checking, .hashing, .committing])
        #expect(observer.pieces > 0)
        #expect(trace.phase == .answering)
        let phases = RequestTrace.Phase.allCases.filter { trace.durations[$0] != nil }
        #expect(phases == [.checking, .hashing, .committing, .answering])
        #expect(phases.compactMap { trace.durations[$0] }.reduce(.zero, +) == trace.age)
        let answering = try #require(trace.durations[.answering])
        #expect(.nanoseconds(observer.took) + answering == trace.age)
    }
}
