import TestSupport
import Testing

@testable import S3

struct OutageTests {
    @Test func `Requests that began before an outage keep no other from trying whether the engine is back`() throws {
        let outage = Outage(after: .zero)
        let long = try (0..<40).map { _ in try #require(outage.begin()) }
        outage.end(try #require(outage.begin()), isFailure: true)
        try eventually("the outage is on") { outage.isOn }
        let probes = (0..<6).compactMap { _ in outage.begin() }
        #expect(probes.count == 4, "four at once try")
        outage.end(probes[0], isFailure: true)
        #expect(outage.begin() != nil)
        #expect(outage.begin() == nil)
        for turn in long { outage.end(turn, isFailure: true) }
        #expect(outage.begin() == nil, "those that end leave no room for more")
        outage.end(probes[1], isFailure: false)
        #expect(!outage.isOn)
        #expect(outage.begin() != nil)
    }

    @Test func `An engine that is full or lacks an operation is not away`() throws {
        let server = try ScriptedServer(.error(507, "XMinioStorageFull"))
        var limits = S3Limits.impatient
        limits.outageAfter = .zero
        let client = try server.client(limits: limits)
        for _ in 0..<3 { #expect(try failure { try client.put(Array("/k".utf8), [1]) }.code == .full) }
        #expect(!client.outage.isOn)
        #expect(server.requests.count == 3)
    }
}
