import DiskStore
import Foundation
import PayloadKey
import Storage
import TestStores
import TestSupport
import Testing

@testable import TarArchive
@testable import lps

/// `lps export` and `lps import`. SelectionTests show which keys are exported.
@Suite(.runLimit) struct ArchiveTests {
    private let (source, target): (TestStore, TestStore)
    private let first = randomPayload(3_000)
    private let second = randomPayload(70_000)
    private let longPrefix = String(repeating: "p", count: 150) + "/" + String(repeating: "q", count: 190)

    init() throws { (source, target) = (try TestStore(isInMemory: true), try TestStore(isInMemory: true)) }

    /// Stores eight keys of three contents. Some namespaces begin with a mark that makes one `Character` with a slash.
    private func fill() throws {
        for (namespace, prefix) in [
            ("ns", nil), ("other", "p/q"), ("\u{E9} ß", "p"), ("plain", nil), ("\u{301}x", nil), ("x\u{600} ß", nil),
        ] {
            try source.put(first, namespace, prefix: prefix)
        }
        try source.put(second, "ns", prefix: longPrefix)
        try source.put([])
    }

    private func export() throws -> [UInt8] {
        let exported = try source.lps("export")
        #expect(exported.status == 0 && exported.errors.isEmpty)
        return exported.bytes
    }

    @discardableResult
    private func importing(_ archive: [UInt8]) throws -> ArchiveImport.Imported {
        var rest = archive[...]
        return try ArchiveImport.run(into: target.store) { buffer in
            let part = rest.prefix(buffer.count)
            buffer.copyBytes(from: part)
            rest = rest.dropFirst(part.count)
            return part.count
        }
    }

    /// A store's objects and keys, each with its bytes. Paths are bytes because some namespaces are equal as text.
    private func tree(_ disk: TestStore) throws -> [[UInt8]: [UInt8]] {
        let paths = files(below: disk.path).filter { $0.hasPrefix("objects/") || $0.hasPrefix("keys/") }
        return try Dictionary(uniqueKeysWithValues: paths.map { (Array($0.utf8), try contents(of: disk.file($0))) })
    }

    private func expectCopied() throws {
        let isEqual = try tree(target) == tree(source)
        #expect(isEqual)
        #expect(files(below: target.file("incoming")).isEmpty)
    }

    private func expectRefused(_ archive: [UInt8], _ reason: String, line: SourceLocation = #_sourceLocation) {
        let error = #expect(throws: CommandError.self, sourceLocation: line) { try importing(archive) }
        let text = error?.description ?? ""
        #expect(text.contains(reason) && !text.contains("\n"), "\(text)", sourceLocation: line)
        #expect(files(below: target.file("incoming")).isEmpty, sourceLocation: line)
    }

    @Test func `An import restores the exported store, with each content once; repeated, it creates no key`()
        throws
    {
        try fill()
        // Equal as text: bsdtar would unpack both into one folder.
        for namespace in ["\u{E9}", "e\u{301}"] { try source.put(first, namespace) }
        let archive = try export()
        #expect(archive.count >= 73_000 && archive.count < 73_000 + 20_480, "each content once, plus headers")
        let imported = try target.lps(["import"], input: archive)
        #expect(imported.status == 0 && imported.output == "imported 10 keys (10 new), 71.3 KiB of content\n")
        try expectCopied()
        let again = try target.lps(["import", "--json"], input: archive)
        #expect(again.status == 0 && again.output == "{\"bytes\":73000,\"created\":0,\"keys\":10}\n")
        try expectCopied()
    }

    @Test func `An empty store can be exported and imported`() throws {
        #expect(try importing(export()) == ArchiveImport.Imported())
    }

    @Test func `An export omits damaged and lost payloads and names their keys`() throws {
        let left = try ["a", "b"].map { try source.put(first, $0) } + [source.put(second)]
        let whole = try source.put(randomPayload(200))
        try source.harm(first)
        unlink(source.objectFile(second))
        let exported = try source.lps("export")
        #expect(exported.status == 1)
        for key in left { #expect(exported.errors.contains("lps: \(key) is not exported: "), "\(exported.errors)") }
        #expect(try target.lps(["import"], input: exported.bytes).status == 0)
        #expect(try target.keys() == [whole])
    }

    // MARK: Truncated or altered archives

    @Test func `A truncated archive is refused, and the payloads before the cut are stored`() throws {
        try fill()
        let archive = try export()
        let end = try #require(archive.lastIndex { $0 != 0 }) / 512 * 512 + 3 * 512
        for length in stride(from: 0, to: end, by: 997) {
            expectRefused(Array(archive[..<length]), "truncated")
            for key in try target.keys() { try #require(try target.store.open(key)).check(key.digest) }
        }
        let cut = try target.lps(["import"], input: Array(archive.prefix(3_000)))
        #expect(cut.status == 1 && cut.bytes.isEmpty)
        #expect(cut.errors.hasSuffix("the archive is truncated\n") && cut.errors.split(separator: "\n").count == 1)
        #expect(try importing(archive).keys == 8)
    }

    @Test func `Whichever byte is altered, every imported key has its own content and no other file remains`() throws {
        for (namespace, prefix) in [("ns", nil), ("other", longPrefix)] {
            try source.put(first, namespace, prefix: prefix)
        }
        let archive = try export()
        for index in stride(from: 0, to: archive.count, by: 101) {
            var altered = archive
            altered[index] ^= 0x01
            _ = try? importing(altered)
        }
        _ = try target.store.scrub { Issue.record("\($0)") }
        try target.store.inspect { Issue.record("\($0)") }
        let keys = try target.keys()
        #expect(keys.allSatisfy { $0.digest == Digest(of: first) })
        #expect(keys.count >= 2, "changes without meaning are accepted")
    }

    // MARK: Archives from other programs

    private var digest: String { "\(Digest(of: first))" }

    private func archive(_ entries: (inout TarWriter) throws -> Void) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var writer = TarWriter { bytes += Array($0) }
        try entries(&writer)
        try writer.end()
        return bytes
    }

    private func add(_ name: String, _ content: [UInt8], to writer: inout TarWriter) throws {
        try writer.add(file: Array(name.utf8), size: UInt64(content.count), modified: 0) { take in
            try content.withUnsafeBytes { try take($0) }
        }
    }

    /// A key's name in an archive.
    private func name(_ content: [UInt8], _ namespace: String = "ns") throws -> String {
        String("\(try payloadKey(content, namespace))".dropFirst())
    }

    @Test(arguments: [
        "", ".", "..", "/", "file", "../blobs/ns/common/D/D", "/blobs/ns/common/D/D", "blobs/../common/D/D",
        "blobs/./common/D/D", "blobs//common/D/D", "blobs/ns/../common/D/D", "blobs/ns/custom/../D/D",
        "blobs/ns/custom/p/../../D/D", "blobs/ns/custom/D/D", "blobs/ns/common/D/../../../etc/passwd",
        "blobs/ns/common/D",
        "blobs/ns/common/D/D/", "blobs/ns/common/D/D/x", "blobs/n\ns/common/D/D", "blobs/n\u{1B}[2Js/common/D/D",
        "blobs/ns/custom/p q/D/D", "objects/ab/D", "keys/ns/common/ab/D.D", "layout.json", "././blobs/ns/common/D/D",
        "blobs/ns/common/sha256:00/D",
    ])
    func `An entry whose name is not a key is refused`(pattern: String) throws {
        let name = pattern.replacingOccurrences(of: "D", with: digest)
        expectRefused(try archive { try add(name, first, to: &$0) }, "it is not a key")
        #expect(try tree(target).isEmpty)
        let link = try archive { writer in
            try add(self.name(first), first, to: &writer)
            try writer.add(hardLink: Array(name.utf8), to: Array(self.name(first).utf8), modified: 0)
        }
        expectRefused(link, "it is not a key")
    }

    @Test func `Content that does not match its key's digest is refused`() throws {
        for content in [second, [], first.dropLast() + [first[2_999] ^ 1]] {
            expectRefused(try archive { try add(name(first), content, to: &$0) }, "body has digest")
        }
        #expect(try tree(target).isEmpty)
    }

    @Test func `A link can name only the content that precedes it`() throws {
        try source.put(second)
        try importing(export())
        let (mine, secret, stolen, copy) = try (name(first), name(second), name(second, "mine"), name(first, "copy"))
        for (name, linked) in [
            (stolen, secret), (stolen, mine), (mine, secret), (copy, "../../etc/passwd"), (copy, "/etc/passwd"),
        ] {
            // Without preceding content, after that of another key, and after that of a key imported earlier.
            for preceding in [nil, first, []] where preceding != first || name != copy {
                let archive = try archive { writer in
                    if let preceding { try add(self.name(preceding), preceding, to: &writer) }
                    try writer.add(hardLink: Array(name.utf8), to: Array(linked.utf8), modified: 0)
                }
                let error = #expect(throws: CommandError.self) { try importing(archive) }
                #expect(error?.description.contains("it links to") == true, "\(name) \(linked)")
            }
        }
        #expect(try target.get(second, "mine") == nil && target.get(first, "copy") == nil)
    }

    @Test func `Symbolic links and devices are refused`() throws {
        let (files, tar) = (source.folder.file("x"), source.folder.file("tar"))
        let path = "\(files)/\(try name(first))"
        let parent = (path as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
        symlink("/etc/passwd", path)
        try #require(run("tar", ["-cf", tar, "-C", files, "."]).status == 0)
        expectRefused(try contents(of: tar), "symbolic link are not supported")
        unlink(path)
        mkfifo(path, 0o600)
        try #require(run("tar", ["-cf", tar, "-C", files, "."]).status == 0)
        expectRefused(try contents(of: tar), "fifo are not supported")
    }

    @Test func `A file larger than any disk is refused before it is read`() throws {
        var header = TarHeader(TarHeader.Kind.file, Array(try name(first).utf8))
        header.contentSize = 1 << 62
        var records = PaxRecords()
        records.size = header.contentSize
        var extended = TarHeader(TarHeader.Kind.extended, Array("x".utf8))
        extended.contentSize = UInt64(records.bytes.count)
        let padding = [UInt8](repeating: 0, count: 512 - records.bytes.count)
        expectRefused(extended.block + records.bytes + padding + header.block + first, "would touch the reserve")
    }

    @Test(arguments: [["tar"], ["tar", "--format=pax"], ["bsdtar"]])
    func `An archive that tar unpacked and repacked can be imported`(command: [String]) throws {
        try fill()
        let (files, copies, archive) = (source.folder.file("x"), source.folder.file("y"), source.folder.file("tar"))
        func tar(_ arguments: String...) throws {
            let ended = try run(command[0], command.dropFirst() + arguments, environment: ["LC_ALL": "C.UTF-8"])
            #expect(ended.status == 0 && ended.output.isEmpty, "no warning: \(ended.output)")
        }
        try write(export(), to: archive)
        mkdir(files, 0o700)
        try tar("-xf", archive, "-C", files)
        // The copy has no links, since tar would store them in another order: each file has its own content.
        #expect(TestSupport.files(below: files).count == 8)
        #expect(try run("cp", ["-r", files, copies]).status == 0)
        try tar("-cf", archive, "-C", copies, "blobs")
        #expect(try importing(contents(of: archive)).created == 8)
        try expectCopied()
    }
}
