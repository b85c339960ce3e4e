import Foundation
import PayloadKey
import TestSupport
import Testing

/// `lps export` and `lps import` on their standard streams; what is in an archive, ArchiveTests show.
@Suite(.runLimit) struct ArchiveCommandTests {
    private let (source, target): (DiskFixture, DiskFixture)

    init() throws { (source, target) = (try DiskFixture(), try DiskFixture()) }

    @Test func `An archive is imported once, and what was there already is told from what is new`() throws {
        let content = randomPayload(5_000)
        let keys = Set(try [source.put(content), source.put(content, "other", prefix: "p/q")])
        let exported = try source.lps("export")
        #expect(exported.status == 0 && exported.errors.isEmpty)
        let first = try target.lps(["import"], input: exported.bytes)
        #expect(first.status == 0 && first.output == "imported 2 keys, 2 of them new, 4.9 KiB of content\n")
        let again = try target.lps(["import", "--json"], input: exported.bytes)
        #expect(again.status == 0 && again.output == "{\"bytes\":5000,\"created\":0,\"keys\":2}\n")
        #expect(try target.keys() == keys)
        #expect(files(below: "\(target.store.path)/incoming").isEmpty)
    }

    @Test func `What keeps an archive from being imported is told in one line`() throws {
        try source.put(randomPayload(5_000))
        let cut = try target.lps(["import"], input: Array(source.lps("export").bytes.prefix(3_000)))
        #expect(cut.status == 1 && cut.bytes.isEmpty)
        #expect(cut.errors.hasSuffix("the archive is cut off\n") && cut.errors.split(separator: "\n").count == 1)
    }

    @Test func `A damaged payload is left out of an archive, and its keys are named`() throws {
        let content = randomPayload(100)
        let damaged = try ["a", "b"].map { try source.put(content, $0) }
        let whole = try source.put(randomPayload(200))
        try source.damage(damaged[0])
        let exported = try source.lps("export")
        #expect(exported.status == 1)
        for key in damaged { #expect(exported.errors.contains("lps: \(key) is not exported: "), "\(exported.errors)") }
        #expect(try target.lps(["import"], input: exported.bytes).status == 0)
        #expect(try target.keys() == [whole])
    }
}
