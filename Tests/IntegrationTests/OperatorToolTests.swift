import Foundation
import PayloadKey
import TestStores
import TestSupport
import Testing

/// `lps` as a process: next to a service and on a terminal. `OperatorTests` covers what its commands do.
@Suite(.serialized, .runLimit) struct OperatorToolTests {
    @Test func `lps fetches, deletes and restores payloads of the service, which serves those of lps`() throws {
        let stack = try Stack()
        let content = randomPayload(5_000)
        let key = try stack.store(content)
        #expect(try stack.lps("ls").output.hasSuffix("\(key)\n"))
        let fetched = stack.folder.file("fetched")
        let get = "'\(Project.binary("lps"))' get --store '\(stack.store)' '\(key)' > '\(fetched)'"
        #expect(try run("sh", ["-c", get]).status == 0 && contents(of: fetched) == content)
        try stack.makeOld(key, seconds: 3 * 86_400)
        #expect(try stack.lps("gc", "--older-than", "2d", "--keep-trash", "3d").status == 0)
        #expect(try stack.get(key, length: content.count).status == 404)
        try stack.startWorkers(1)
        #expect(!stack.workerLog.contains("ignored"), "a worker recognizes the trash")
        #expect(try stack.lps("undelete", key).status == 0)
        #expect(try stack.get(key, length: content.count).body == content)

        let other = Array("from a file".utf8)
        try write(other, to: stack.folder.file("file"))
        let stored = try stack.lps("put", stack.folder.file("file"), "--namespace", "ns")
        #expect(stored.status == 0)
        #expect(try stack.get(stored.output.trimmingCharacters(in: .newlines), length: other.count).body == other)
    }

    // MARK: Terminals

    private func onTerminal(_ command: String) throws -> (status: Int32, output: String) {
        try run("script", ["-qec", command, "/dev/null"])
    }

    @Test(arguments: [
        ("scrub", "of 4.9 KiB"), ("gc --older-than 30d", "of 1 keys"), ("gc --older-than 30d --dry-run", "of 1 keys"),
    ])
    func `Progress is shown on a terminal only`(command: String, progress: String) throws {
        let local = try TestStore()
        try local.put(randomPayload(5_000), "ns")
        let lps = "'\(Project.binary("lps"))' \(command) --store '\(local.path)'"
        let results = local.folder.file("results")
        let name = command.prefix { $0 != " " }
        let shown = try onTerminal("\(lps) > '\(results)'")
        #expect(shown.status == 0)
        #expect(shown.output.contains("\r\(name): 0") && shown.output.contains(progress), "\(shown.output)")
        #expect(
            shown.output.split(separator: "\r").last?.allSatisfy { $0 == " " } == true,
            "the progress line is erased"
        )
        let without = try onTerminal("\(lps) > '\(results)-2' 2> '\(results)-errors'")
        #expect(without.status == 0 && without.output.isEmpty)
        #expect(try contents(of: "\(results)-errors").isEmpty)
        #expect(try contents(of: "\(results)-2") == contents(of: results), "results are the same")
        #expect(try !contents(of: results).isEmpty && !contents(of: results).contains(UInt8(ascii: "\r")))
    }

    @Test(arguments: ["export", "import"])
    func `lps refuses to write an archive to a terminal or read one from it`(command: String) throws {
        let local = try TestStore()
        let answer = try onTerminal("'\(Project.binary("lps"))' \(command) --store '\(local.path)'")
        #expect(answer.status == 64)
        #expect(answer.output.contains("is a terminal: redirect it"))
    }
}
