import Foundation
import PayloadKey
import TestStores
import TestSupport
import Testing

/// `lps copy` between stores of each kind.
@Suite(.runLimit) struct CopyTests {
    private static let ways = ToolStore.kinds.flatMap { source in ToolStore.kinds.map { (source, $0) } }

    @Test(arguments: ways)
    func `A copy omits damaged payloads, and a repeated copy adds only new ones`(
        from: StoreKind,
        to: StoreKind
    ) throws {
        let (source, destination) = (try ToolStore(from), try ToolStore(to))
        func copy(_ more: String...) throws -> Tool.Answer {
            let settings = from == .s3 ? [:] : destination.tool.settings
            return try source.tool.run(["copy", source.place, destination.place] + more, settings: settings)
        }
        var payloads: [PayloadKey: [UInt8]] = [:]
        for size in [0, 1, 5_000, 3_000_000] {
            let content = randomPayload(size)
            payloads[try source.put(content, "a b", prefix: size == 5_000 ? "team/a" : nil)] = content
        }
        let rotten = randomPayload(100)
        let damaged = try source.put(rotten, "a b")
        try source.damage(damaged, rotten)

        let first = try copy("--json")
        #expect(first.status == 1 && first.errors.hasPrefix("lps: \(damaged) is not copied: "), "\(first.errors)")
        #expect(first.output == "{\"bytes\":3005001,\"copied\":4,\"failed\":1,\"present\":0}\n")
        for (key, content) in payloads {
            let isWhole = try destination.get(key) == content
            #expect(isWhole, "\(key)")
        }
        let new = try source.put(randomPayload(10), "n")
        #expect(try copy("--namespace", "n").output == "copied 1 payloads (10 B), 0 already present\n")
        let third = try copy()
        #expect(third.status == 1 && third.output == "copied 0 payloads (0 B), 5 already present\n")
        try destination.replace(new, [1])
        #expect(try copy("--namespace", "n").output.hasPrefix("copied 1 payloads"), "the stored payload differs")
        #expect(try destination.keys() == Set((payloads.keys + [new]).map(\.description)))
        #expect(try destination.lps("scrub").status == 0)
    }

    @Test func `A copy needs two stores, and --parallel must be from 1 to 256`() throws {
        let disk = try TestStore(isInMemory: true)
        for options in [["--parallel", "0"], ["--parallel", "257"]] {
            let answer = try disk.lps(["copy", disk.path, disk.path] + options)
            #expect(answer.status == 64 && answer.errors.contains("expected a number from 1 to 256"))
        }
        #expect(try disk.lps("copy", disk.path).status == 64)
        let missing = try disk.lps("copy", disk.path, "/nowhere")
        #expect(missing.status == 1 && missing.errors.contains("/nowhere"))
        let unknown = try disk.lps("copy", "s3://", disk.path)
        #expect(unknown.status == 64 && unknown.errors.contains("from: "), "\(unknown.errors)")
    }
}
