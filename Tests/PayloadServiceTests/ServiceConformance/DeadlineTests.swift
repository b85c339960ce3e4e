import Foundation
import TestSupport
import Testing

@testable import PayloadService

/// A request that exceeds its timeout is given up in every phase.
@Suite(.runLimit) struct DeadlineTests {
    private let timeout = Duration.milliseconds(200)

    private func expectGivenUp(_ answer: Answer, _ trace: RequestTrace, _ phase: String) {
        expectRefusal(answer, 503, "the request took over \(timeout), and was given up while \(phase)")
        #expect(answer.headers["Retry-After"] == "5")
        #expect(trace.isTimedOut)
        #expect(trace.stored == 0)
    }

    private func waitUntilLate(_ trace: RequestTrace) {
        while trace.age <= timeout { usleep(1000) }
    }

    @Test(arguments: Setup.disk)
    func `An upload that is late before hashing is given up and not stored`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup)
        let trace = RequestTrace(timeout: timeout)
        waitUntilLate(trace)
        expectGivenUp(try fixture.ask(.put(helloWorld), trace), trace, "checking")
        #expect(fixture.log.text.contains("warning request timed out"))
        #expect(try fixture.store.contents().isEmpty)
        #expect(try fixture.ask(.put(helloWorld), RequestTrace(timeout: .seconds(3600))).status == 201)
    }

    /// Repeats the request until one reaches hashing in time: on a busy machine one may be late earlier.
    private func expectGivenUpWhileHashing(_ ask: (RequestTrace) throws -> Answer) throws {
        try eventually("a request is hashed in time") {
            let trace = RequestTrace(timeout: timeout)
            let answer = try ask(trace)
            guard trace.durations[.hashing] != nil else { return false }
            expectGivenUp(answer, trace, "hashing")
            return true
        }
    }

    @Test(arguments: Setup.disk)
    func `A late upload is given up at its next piece and not stored`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup)
        let observer = Observer()
        try expectGivenUpWhileHashing { trace in
            observer.pieces = 0
            observer.onPiece = { [unowned trace] in waitUntilLate(trace) }
            trace.observer = observer
            return try fixture.ask(.put(randomPayload(200_000)), trace)
        }
        #expect(observer.pieces == 2)
        #expect(try fixture.store.contents().isEmpty)
    }

    @Test func `An upload that is late after its last byte is not committed`() throws {
        let fixture = try ServiceFixture()
        try expectGivenUpWhileHashing { trace in
            let give = source(helloWorld)
            let asked = Asked.put(helloWorld).with {
                $0.source = { buffer in
                    let count = try give(buffer)
                    if count == 0 { waitUntilLate(trace) }
                    return count
                }
            }
            return try fixture.ask(asked, trace)
        }
        #expect(try fixture.store.contents().isEmpty)
    }

    @Test(arguments: Setup.disk)
    func `A late request to the codec server is given up between payloads and pieces`(setup: Setup) throws {
        let fixture = try ServiceFixture(setup, codec: CodecLimits(minimumSize: 100))
        let body = try JSONPayloads([JSONPayload(randomPayload(1000)), JSONPayload(randomPayload(1000))]).json
        let reference = try fixture.ask(.codec("encode", body)).body
        let before = try fixture.store.contents()
        for (operation, body) in [("encode", body), ("decode", reference), ("download", reference)] {
            let late = RequestTrace(timeout: timeout)
            waitUntilLate(late)
            expectGivenUp(try fixture.ask(.codec(operation, body), late), late, "checking")
            let trace = RequestTrace(timeout: timeout)
            let observer = Observer()
            trace.observer = observer
            observer.onPiece = { [unowned trace] in
                // Not while the body is being parsed.
                if trace.phase == .checking { waitUntilLate(trace) }
            }
            // A stream's first piece precedes parsing.
            let answer = try fixture.ask(.codec(operation, body), trace)
            #expect(answer.status == 503, "\(operation)")
            #expect(trace.isTimedOut)
        }
        #expect(try fixture.store.contents() == before)
    }
}
