import Foundation
import Logging
import DiskStore
import PayloadKey
import Storage
import TestSupport
import Testing

@testable import TarArchive
@testable import lps

/// `lps export` and `lps import`, without the processes.
@Suite struct ArchiveTests {
    private let folder: TemporaryFolder
    private let source: DiskStore
    private let target: DiskStore
    private let first = randomPayload(3_000)
    private let second = randomPayload(70_000)

    init() throws {
        folder = try TemporaryFolder()
        source = try Self.store(folder.file("source"))
        target = try Self.store(folder.file("target"))
    }

    private static func store(_ path: String) throws -> DiskStore {
        try DiskStore.create(at: path)
        return try DiskStore(path: path, reserve: 0, logger: Logger(label: "test"))
    }

    private func key(_ content: [UInt8], _ namespace: String, _ prefix: String? = nil) throws -> PayloadKey {
        PayloadKey(
            namespace: try Namespace(validating: namespace.utf8),
            prefix: try prefix.map { try #require(KeyPrefix(validating: $0.utf8)) },
            digest: Digest(of: content),
            metadataHash: Digest(of: "metadata".utf8)
        )
    }

    @discardableResult
    private func put(_ content: [UInt8], _ namespace: String = "ns", _ prefix: String? = nil) throws -> PayloadKey {
        let key = try key(content, namespace, prefix)
        let upload = try source.uploads.receive(length: UInt64(content.count), digest: key.digest) { take in
            try content.withUnsafeBytes { try take($0) }
        }
        _ = try source.commit(upload, as: key)
        return key
    }

    private func fill() throws {
        for (namespace, prefix) in [("ns", nil), ("other", "p/q"), ("\u{E9} ß", "p"), ("e\u{301}", nil)] {
            try put(first, namespace, prefix)
        }
        try put(second, "ns", longPrefix)
        try put([])
    }

    private func export(_ selection: KeySelection = KeySelection(), of store: DiskStore? = nil) throws -> [UInt8] {
        var bytes: [UInt8] = []
        #expect(
            try Export.export(selection, of: store ?? source, complain: { Issue.record("\($0)") }) {
                bytes += Array($0)
            }
        )
        return bytes
    }

    @discardableResult
    private func importing(_ archive: [UInt8]) throws -> ArchiveImport.Imported {
        var rest = archive[...]
        return try ArchiveImport.run(into: target) { buffer in
            let part = rest.prefix(buffer.count)
            buffer.copyBytes(from: part)
            rest = rest.dropFirst(part.count)
            return part.count
        }
    }

    /// The objects and keys of a store, with what is in them.
    private func tree(_ store: DiskStore) throws -> [String: [UInt8]] {
        let paths = files(below: store.path).filter { $0.hasPrefix("objects/") || $0.hasPrefix("keys/") }
        return try Dictionary(uniqueKeysWithValues: paths.map { ($0, try contents(of: "\(store.path)/\($0)")) })
    }

    private func expectRefused(_ archive: [UInt8], _ reason: String, line: SourceLocation = #_sourceLocation) {
        let error = #expect(throws: CommandError.self, sourceLocation: line) { try importing(archive) }
        let text = error?.description ?? ""
        #expect(text.contains(reason) && !text.contains("\n"), "\(text)", sourceLocation: line)
        #expect(files(below: "\(target.path)/incoming").isEmpty, sourceLocation: line)
    }

    @Test func `An imported store is the one that was exported, key for key and content for content`() throws {
        try fill()
        let result = try importing(export())
        #expect(result == ArchiveImport.Imported(keys: 6, created: 6, bytes: 73_000))
        let (imported, exported) = (try tree(target), try tree(source))
        #expect(imported.keys.sorted() == exported.keys.sorted())
        let isEqual = imported == exported
        #expect(isEqual)
    }

    @Test func `Content that keys share is in an archive once`() throws {
        try fill()
        let size = try export().count
        #expect(size >= 73_000 && size < 73_000 + 20_480, "content once, and headers")
    }

    @Test func `Keys of namespaces that are equal as text are exported, each of them`() throws {
        let keys = try ["\u{E9}", "e\u{301}", "\u{301}x", "x\u{600}"].map { try put(first, $0) }
        #expect(try importing(export()).created == 4)
        for key in keys { #expect(try target.open(key) != nil) }
    }

    @Test func `An import again stores nothing anew`() throws {
        try fill()
        let archive = try export()
        try importing(archive)
        let before = try tree(target)
        #expect(try importing(archive) == ArchiveImport.Imported(keys: 6, created: 0, bytes: 73_000))
        let isEqual = try tree(target) == before
        #expect(isEqual)
    }

    @Test func `Only what was selected is exported`() throws {
        try fill()
        let namespace = try Namespace(validating: "other".utf8)
        try importing(export(KeySelection(namespace: namespace)))
        try importing(export(KeySelection(prefix: KeyPrefix(validating: "p".utf8))))
        var found: Set<String> = []
        try target.forEachKey { found.insert("\($0.key)") }
        #expect(try found == ["\(key(first, "other", "p/q"))", "\(key(first, "\u{E9} ß", "p"))"])
    }

    @Test func `An empty store makes an empty archive, and that is no error`() throws {
        #expect(try importing(export()) == ArchiveImport.Imported())
    }

    @Test func `An archive that is cut off is refused, and what came before is stored`() throws {
        try fill()
        let archive = try export()
        let end = try #require(archive.lastIndex { $0 != 0 }) / 512 * 512 + 3 * 512
        for length in stride(from: 0, to: end, by: 997) {
            expectRefused(Array(archive[..<length]), "cut off")
            try target.forEachKey { stored in try #require(try target.open(stored.key)).check(stored.key.digest) }
        }
        #expect(try importing(archive).keys == 6)
    }

    @Test func `An altered byte of a payload is refused`() throws {
        try put(first)
        var archive = try export()
        archive[512 + 1_500] ^= 0x10
        expectRefused(archive, "body has digest")
        #expect(try tree(target).isEmpty)
    }

    @Test func `Whatever byte is altered, no key gets another content than its own, and nothing else is left`() throws {
        for (namespace, prefix) in [("ns", nil), ("other", longPrefix)] { try put(first, namespace, prefix) }
        let archive = try export()
        for index in stride(from: 0, to: archive.count, by: 101) {
            var altered = archive
            altered[index] ^= 0x01
            _ = try? importing(altered)
        }
        var keys = 0
        _ = try target.scrub { Issue.record("\($0)") }
        try target.inspect { Issue.record("\($0)") }
        try target.forEachKey { stored in
            keys += 1
            #expect(stored.key.digest == Digest(of: first))
        }
        #expect(keys >= 2, "what was of no meaning was not refused")
    }

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

    @Test(arguments: [
        "", ".", "..", "/", "file", "../blobs/ns/common/D/D", "/blobs/ns/common/D/D", "blobs/../common/D/D",
        "blobs/./common/D/D", "blobs//common/D/D", "blobs/ns/../common/D/D", "blobs/ns/custom/../D/D",
        "blobs/ns/custom/p/../../D/D", "blobs/ns/custom/D/D", "blobs/ns/common/D/../../../etc/passwd",
        "blobs/ns/common/D",
        "blobs/ns/common/D/D/", "blobs/ns/common/D/D/x", "blobs/n\ns/common/D/D", "blobs/n\u{1B}[2Js/common/D/D",
        "blobs/ns/custom/p q/D/D", "objects/ab/D", "keys/ns/common/ab/D.D", "layout.json", "././blobs/ns/common/D/D",
        "blobs/ns/common/sha256:00/D",
    ])
    func `A name that is no key is refused`(pattern: String) throws {
        let name = pattern.replacingOccurrences(of: "D", with: digest)
        let archive = try archive { try add(name, first, to: &$0) }
        expectRefused(archive, "it is no key")
        #expect(try tree(target).isEmpty)
        let link = try self.archive { writer in
            try add("blobs/ns/common/\(digest)/\(digest)", first, to: &writer)
            try writer.add(
                hardLink: Array(name.utf8),
                to: Array("blobs/ns/common/\(digest)/\(digest)".utf8),
                modified: 0
            )
        }
        expectRefused(link, "it is no key")
    }

    @Test func `Content that does not have its key's digest is refused`() throws {
        let name = "blobs/ns/common/\(digest)/\(digest)"
        for content in [second, [], first.dropLast() + [first[2_999] ^ 1]] {
            expectRefused(try archive { try add(name, content, to: &$0) }, "body has digest")
        }
        #expect(try tree(target).isEmpty)
    }

    @Test func `A link gets at nothing but the content before it`() throws {
        try put(second)
        try importing(export())
        let stored = try tree(target)
        let (mine, secret) = ("\(try key(first, "ns"))".dropFirst(), "\(try key(second, "ns"))".dropFirst())
        let stolen = "\(try key(second, "mine"))".dropFirst()
        let copy = "\(try key(first, "copy"))".dropFirst()
        for (name, target) in [
            (stolen, secret), (stolen, mine), (mine, secret), (copy, "../../etc/passwd"), (copy, "/etc/passwd"),
        ] {
            // Before any content, after that of another key, and after one that was imported long before.
            for precedingContent in [nil, first, []] {
                if precedingContent == first, name == copy { continue }
                let archive = try archive { writer in
                    if let content = precedingContent {
                        try add(String("\(key(content, "ns"))".dropFirst()), content, to: &writer)
                    }
                    try writer.add(hardLink: Array(name.utf8), to: Array(target.utf8), modified: 0)
                }
                let error = #expect(throws: CommandError.self) { try importing(archive) }
                #expect(error?.description.contains("is a link to") == true, "\(name) \(target)")
            }
        }
        #expect(try target.open(key(second, "mine")) == nil)
        #expect(try target.open(key(first, "copy")) == nil)
        #expect(stored.allSatisfy { $0.key.contains(Digest(of: second).hex) })
    }

    @Test func `Links and devices of other programs' archives are refused`() throws {
        let name = folder.file("x")
        let path = "\(name)/" + "\(try key(first, "ns"))".dropFirst()
        let parent = (path as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
        symlink("/etc/passwd", path)
        try #require(run("tar", ["-cf", folder.file("tar"), "-C", name, "."]).status == 0)
        expectRefused(try contents(of: folder.file("tar")), "symbolic link is not accepted")
        unlink(path)
        mkfifo(path, 0o600)
        try #require(run("tar", ["-cf", folder.file("tar"), "-C", name, "."]).status == 0)
        expectRefused(try contents(of: folder.file("tar")), "fifo is not accepted")
    }

    @Test func `A file that no disk can hold is refused before it is read`() throws {
        var header = TarHeader(TarHeader.Kind.file, Array("\(try key(first, "ns"))".utf8.dropFirst()))
        header.contentSize = 1 << 62
        var records = PaxRecords()
        records.size = header.contentSize
        var extended = TarHeader(TarHeader.Kind.extended, Array("x".utf8))
        extended.contentSize = UInt64(records.bytes.count)
        let padding = [UInt8](repeating: 0, count: 512 - records.bytes.count)
        expectRefused(extended.block + records.bytes + padding + header.block + first, "would touch the reserve")
    }

    @Test(arguments: [["tar"], ["tar", "--format=pax"], ["bsdtar"]])
    func `What tar has unpacked and packed again can be imported`(command: [String]) throws {
        try fill()
        try write(export(), to: folder.file("tar"))
        let files = folder.file("files")
        mkdir(files, 0o700)
        func tar(_ arguments: String...) throws {
            let environment = ["LC_ALL": "C.UTF-8"]
            let log = folder.file("log")
            let child = try ChildProcess(
                command[0],
                command.dropFirst() + arguments,
                environment: environment,
                log: log
            )
            #expect(child.wait() == 0, "\(child.log)")
        }
        let reader = try ChildProcess(
            command[0],
            ["-xf", folder.file("tar"), "-C", files],
            environment: ["LC_ALL": "C.UTF-8"],
            log: folder.file("log")
        )
        #expect(reader.wait() == 0, "\(reader.log)")
        #expect(reader.log.isEmpty, "not even a warning: \(reader.log)")
        // Without their links, whose order is another one now: each file has its content then.
        let names = TestSupport.files(below: files)
        #expect(names.count == 6)
        let copies = folder.file("copies")
        #expect(try run("cp", ["-r", files, copies]).status == 0)
        try tar("-cf", folder.file("tar2"), "-C", copies, "blobs")
        #expect(try importing(contents(of: folder.file("tar2"))).created == 6)
        let isEqual = try tree(target) == tree(source)
        #expect(isEqual)
    }

    @Test func `A damaged payload is left out, and the rest is exported`() throws {
        try fill()
        let hex = Digest(of: second).hex
        let path = "\(source.path)/objects/\(hex.prefix(2))/\(hex)"
        chmod(path, 0o600)
        let file = try #require(FileHandle(forUpdatingAtPath: path))
        try file.write(contentsOf: [second[0] ^ 1])
        try file.close()
        var bytes: [UInt8] = []
        #expect(try !Export.export(KeySelection(), of: source, complain: { _ in }) { bytes += Array($0) })
        #expect(try importing(bytes).keys == 5)
        #expect(try target.open(key(second, "ns", longPrefix)) == nil)
    }

    @Test func `A payload whose content is lost is left out, with all its keys, and the rest is exported`() throws {
        try fill()
        let hex = Digest(of: first).hex
        unlink("\(source.path)/objects/\(hex.prefix(2))/\(hex)")
        var bytes: [UInt8] = []
        #expect(try !Export.export(KeySelection(), of: source, complain: { _ in }) { bytes += Array($0) })
        #expect(try importing(bytes).keys == 2)
    }

    private var longPrefix: String { String(repeating: "p", count: 150) + "/" + String(repeating: "q", count: 190) }
}
