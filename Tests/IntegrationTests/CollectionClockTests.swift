import Foundation
import TestSupport
import Testing

/// `lps gc` on a machine whose clock is wrong (faketime(1)).
@Suite(.serialized, .runLimit) struct CollectionClockTests {
    private let local: LocalStore
    private let content = randomPayload(1000)

    init() throws {
        local = try LocalStore()
    }

    /// Runs `lps gc` with another clock. What the file system says stays: the machine was off, or its clock was reset.
    private func collect(_ clock: String, _ options: [String] = []) throws -> (status: Int32, output: String) {
        let process = try local.start(
            ["gc", "--older-than", "45d"] + options,
            by: ["faketime", clock],
            environment: ["NO_FAKE_STAT": "1"]
        )
        return (process.wait(), process.log)
    }

    private func day(_ seconds: Int) -> String {
        Date(timeIntervalSince1970: Double(seconds)).ISO8601Format().prefix(10).description
    }

    @Test(arguments: ["+60 days", "+5 years"])
    func `A clock that is far ahead of the store's deletes nothing, unless it is forced`(clock: String) throws {
        let key = try local.put(content, "ns")
        let refused = try collect(clock)
        #expect(refused.status == 1)
        #expect(refused.output.split(separator: "\n").count == 1, "\(refused.output)")
        #expect(refused.output.contains("nothing is deleted"))
        let today = day(time(nil))
        #expect(refused.output.contains("the last time that a worker recorded is \(today)T"), "\(refused.output)")
        if clock == "+60 days" {
            let ahead = day(time(nil) + 60 * 86_400)
            #expect(refused.output.contains("the system's clock says \(ahead)T"), "\(refused.output)")
        }
        #expect(try local.get(key) == content)
        #expect(try local.objects().count == 1)

        let forced = try collect(clock, ["--force"])
        #expect(forced.status == 0 && forced.output.hasPrefix("deleted 1 keys"), "\(forced.output)")
        #expect(try local.get(key) == nil)
    }

    @Test func `A clock that is behind the store's deletes nothing, unless it is forced`() throws {
        let key = try local.put(content, "ns")
        try local.makeOld(key, days: 1000)
        let refused = try collect("-60 days")
        #expect(refused.status == 1)
        #expect(refused.output.split(separator: "\n").count == 1, "\(refused.output)")
        let (behind, today) = (day(time(nil) - 60 * 86_400), day(time(nil)))
        #expect(
            refused.output.contains("the system's clock says \(behind)T")
                && refused.output.contains("a worker has recorded \(today)T")
                && refused.output.contains("nothing is deleted"),
            "\(refused.output)"
        )
        #expect(try local.get(key) == content)

        let forced = try collect("-60 days", ["--force"])
        #expect(forced.status == 0 && forced.output.hasPrefix("deleted 1 keys"), "\(forced.output)")
        #expect(try local.get(key) == nil)
    }

    @Test func `A payload that is stored while the clock is years behind is no garbage when it is right again`() throws
    {
        try local.put(randomPayload(100), "ns")
        let file = local.folder.file("file")
        try write(content, to: file)
        let put = try local.start(
            ["put", file, "--namespace", "ns"],
            by: ["faketime", "-5 years"],
            environment: ["NO_FAKE_STAT": "1"]
        )
        #expect(put.wait() == 0, "\(put.log)")
        let collected = try local.lps(["gc", "--older-than", "45d"])
        #expect(collected.status == 0 && collected.output.hasPrefix("deleted 0 keys"), "\(collected.output)")
        #expect(try local.get(LocalStore.key(content, "ns")) == content)
    }
}
