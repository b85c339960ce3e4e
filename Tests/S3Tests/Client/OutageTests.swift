import TestSupport
import Testing

@testable import S3

@Suite(.runLimit) struct OutageTests {
    @Test func `Requests that began before an outage do not prevent others from trying the engine`() throws {
        let outage = Outage(after: .zero)
        let long = try (0..<40).map { _ in try #require(outage.begin()) }
        outage.end(try #require(outage.begin()), isFailure: true)
        try eventually("the outage is on") { outage.isOn }
        let probes = (0..<6).compactMap { _ in outage.begin() }
        #expect(probes.count == 4, "four requests may try at the same time")
        outage.end(probes[0], isFailure: true)
        #expect(outage.begin() != nil)
        #expect(outage.begin() == nil)
        for turn in long { outage.end(turn, isFailure: true) }
        #expect(outage.begin() == nil, "requests from before the outage do not add to the four")
        outage.end(probes[1], isFailure: false)
        #expect(!outage.isOn)
        #expect(outage.begin() != nil)
    }

    @Test func `Refusals, a full engine and missing operations do not count as an outage`() throws {
        let answers: [(status: Int, isAway: Bool)] = [
            (500, true), (502, true), (503, true), (504, true), (501, false), (507, false), (400, false), (403, false),
            (404, false), (408, false), (412, false), (429, false),
        ]
        for (status, isAway) in answers {
            let server = try ScriptedServer(.error(status, "OfTheTest"))
            let client = try server.client(limits: .with { ($0.retryFor, $0.outageAfter) = (.zero, .zero) })
            for _ in 0..<2 { _ = try failure { try client.put(key("/k"), [1], onlyIfAbsent: false) } }
            #expect(client.outage.isOn == isAway, "\(status)")
        }
    }

    @Test func `During an outage, few requests wait for the engine, and none is retried`() throws {
        let told = Counter()
        let isOutage = Counter()
        let server = try ScriptedServer { _, _ in
            // The requests that may try the engine wait until all others have failed.
            if isOutage.value > 0 { try? eventually("the others are told") { told.value == 28 } }
            return [.error(503, "SlowDown")]
        }
        let client = try server.client(
            limits: .with { ($0.retryFor, $0.outageAfter) = (.milliseconds(500), .milliseconds(100)) }
        )
        // All requests fail for longer than the limit for an outage.
        _ = try failure { try client.checkBucket(retrying: true) }
        isOutage.add()
        let before = server.lines.count
        try concurrently(32) { _ in
            let error = try failure { try client.checkBucket(retrying: true) }
            if error.description.contains("the engine has been failing for some time") { told.add() }
        }
        #expect(told.value == 28, "the other requests fail immediately")
        #expect(server.lines.count - before == 4)
    }
}
