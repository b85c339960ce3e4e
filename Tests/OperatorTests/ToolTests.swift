import Foundation
import TestStores
import TestSupport
import Testing

/// The other suites run `lps` in this process. A separate process behaves the same.
@Suite(.runLimit) struct ToolTests {
    @Test func `A command line has the same status, output and errors in a separate process as in a test`() throws {
        let disk = try TestStore(isInMemory: true)
        let content = randomPayload(70_000)
        let key = "\(try disk.put(content))"
        let missing = "\(try payloadKey([]))"
        let file = disk.folder.file("file")
        try write(content, to: file)
        for arguments in [
            [], ["help"], ["--version"], ["--help"], ["help", "gc"], ["gc", "--help"], ["--experimental-dump-help"],
            ["nonsense"], ["ls", "--nonsense"], ["rm"], ["rm", "no key"],
            ["ls"], ["ls", "--json"], ["stat", key], ["get", key], ["get", missing], ["du"], ["quota"], ["scrub"],
            ["export"], ["import"], ["init"], ["undelete"],
            ["put", file, "--namespace", "ns"], ["put", "/nowhere", "--namespace", "ns"],
            ["ls", "--store", "/nowhere"],
            ["gc", "--older-than", "2h"], ["gc", "--older-than", "2d", "--policy", ""], ["gc", "--check"],
            ["gc", "--older-than", "2d", "--keep-trash", "1d"],
        ] {
            let expected = try process(arguments, disk.tool.settings, input: file)
            let answer = try disk.lps(arguments, input: content)
            #expect(answer.status == expected.status, "\(arguments)")
            let isEqual = answer.bytes == expected.output
            #expect(isEqual, "\(arguments): \(answer.output.prefix(1_000))")
            #expect(answer.errors == expected.errors, "\(arguments)")
        }
    }

    private func process(_ arguments: [String], _ environment: [String: String], input: String) throws
        -> (status: Int32, output: [UInt8], errors: String)
    {
        let folder = try TemporaryFolder()
        let script = "exec \"$@\" < '\(input)' > '\(folder.file("output"))' 2> '\(folder.file("errors"))'"
        let status = try TestSupport.run(
            "sh",
            ["-c", script, "sh", Project.binary("lps")] + arguments,
            environment: environment
        ).status
        let errors = try contents(of: folder.file("errors"))
        return (status, try contents(of: folder.file("output")), String(decoding: errors, as: UTF8.self))
    }
}
