import Foundation
import PayloadKey
import Storage
import TestStores
import TestSupport
import Testing

@testable import DiskStore

@Suite(.runLimit) struct InspectionTests {
    private let disk: TestStore
    private let content = randomPayload(5_000)
    private let other = Array("another".utf8)
    /// The keys of `content`, without and with a prefix, and the key of `other`.
    private let keys: [PayloadKey]
    private var shard: String { Digest(of: content).shard }

    init() throws {
        disk = try TestStore()
        keys = try [disk.put(content), disk.put(content, "other", prefix: "p/q"), disk.put(other)]
    }

    /// The findings of an inspection, as `kind path`.
    private func inspect(repair: Bool = false) throws -> [String] {
        var found: [String] = []
        try disk.store.inspect(repair: repair) { finding in
            switch finding.remedy {
            case .none: #expect(!repair || [.stray, .keyWithoutContent].contains(finding.kind), "\(finding)")
            case .mended: #expect(repair, "\(finding)")
            case .failed: Issue.record("\(finding)")
            }
            found.append("\(finding.kind) \(finding.path)")
        }
        return found.sorted()
    }

    /// Expects exactly these findings, no change without `repair`, and no finding after a repair.
    private func expectRepaired(_ expected: [String]) throws {
        let before = files(below: disk.path)
        for _ in 0..<2 { #expect(try inspect() == expected.sorted()) }
        #expect(files(below: disk.path) == before)
        #expect(try inspect(repair: true) == expected.sorted())
        #expect(try inspect() == [])
        #expect(try disk.get(other) == other)
    }

    /// Expects exactly these findings, and that even a repair leaves the files.
    private func expectLeft(_ expected: [String]) throws {
        // A repair removes the record of lost content that no key names.
        func all() -> [String] { files(below: disk.path).filter { !$0.hasPrefix("usage/lost/") } }
        let before = all()
        for repair in [true, false] { #expect(try inspect(repair: repair) == expected.sorted()) }
        #expect(all() == before)
    }

    /// Uses everything that the store creates on demand: the trash, counters and the record of lost content.
    private func useAll() throws -> (trash: String, key: String) {
        let key = try disk.put(content, "\u{301}x")
        try disk.store.moveToTrash(key, now: 0)
        _ = try disk.store.recount(Namespace(validating: "ns".utf8))
        let empty = try disk.put([])
        try disk.harm([], .growth)
        _ = try disk.store.scrub { _ in }
        try disk.store.remove(empty)
        let folder = "trash/3600/\u{301}x/common/\(shard)"
        return (folder, "\(folder)/\(StoreLayout.keyName(key))")
    }

    @Test func `An inspection finds nothing in a sound store, its trash, counters or scrub record`() throws {
        #expect(try inspect() == [])
        _ = try disk.store.scrub { Issue.record("\($0)") }
        #expect(try inspect(repair: true) == [])
        _ = try useAll()
        #expect(try inspect() == [])
    }

    @Test func `An inspection finds nothing in a store that was created with a strict umask`() throws {
        for path in files(below: disk.path) where path.hasPrefix("locks/") || path.hasSuffix(".json") {
            chmod(disk.file(path), 0o600)
        }
        for folder in ["", "objects", "keys", "keys/ns", "incoming"] { chmod(disk.file(folder), 0o700) }
        #expect(try inspect() == [])
    }

    @Test func `Unreferenced content is reported with its disk usage, and deleted`() throws {
        for key in keys.prefix(2) { unlink(disk.keyFile(key)) }
        let object = disk.objectFile(content)
        var status = stat()
        #expect(stat(object, &status) == 0)
        var reasons: [String] = []
        try disk.store.inspect { reasons.append($0.reason) }
        #expect(reasons == ["is unreferenced, and uses \(Int(status.st_blocks) * 512) bytes on disk"])
        try expectRepaired(["unreferencedContent \(disk.relative(object))"])
        #expect(!disk.hasObject(content))
    }

    @Test func `During a garbage collection, an inspection checks everything except unreferenced content`() throws {
        unlink(disk.keyFile(keys[2]))
        try write([1], to: disk.file("README"))
        let collector = try disk.collector()
        var found: [Finding.Kind] = []
        let error = #expect(throws: StoreError.self) { try disk.store.inspect { found.append($0.kind) } }
        #expect(error?.code == .busy)
        #expect(found == [.stray])
        withExtendedLifetime(collector) {}
    }

    @Test func `Keys with lost content are reported, even in the trash, until the payload is uploaded again`() throws {
        try disk.store.moveToTrash(keys[0], now: 0)
        unlink(disk.objectFile(content))
        let paths = [disk.relative(disk.keyFile(keys[1])), StoreLayout.key(keys[0], in: "trash/3600")]
        // Nothing can repair them.
        try expectLeft(paths.map { "keyWithoutContent \($0)" })
        try disk.put(content, "third")
        #expect(try inspect() == [])
    }

    @Test func `Leftover uploads are reported and deleted once they are over a day old`() throws {
        for path in ["incoming/old", "incoming/young", "objects/.probe-young", "objects/.probe-old"] {
            try write([], to: disk.file(path))
            if path.hasSuffix("old") { disk.setAge(disk.file(path), seconds: 86_400 + 60) }
        }
        try expectRepaired(["staleUpload incoming/old", "staleUpload objects/.probe-old"])
        for path in ["incoming/young", "objects/.probe-young"] { #expect(disk.status(disk.file(path)) != nil) }
    }

    @Test(arguments: [
        (".", 0o777, 0o755), ("objects", 0o777, 0o750), ("incoming", 0o1777, 0o750), ("locks", 0o640, 0o740),
        ("locks/ab", 0o666, 0o640), ("locks/00", 0o440, 0o640), ("locks/gc", 0o644, 0o640), ("clock", 0o666, 0o640),
        ("layout.json", 0o644, 0o640), ("key", 0o644, 0o440), ("key", 0o000, 0o400), ("key folder", 0o755, 0o750),
        ("keys/ns", 0o755, 0o750), ("keys/other/custom/p", 0o700 | 0o007, 0o700), ("object folder", 0o751, 0o750),
        ("object", 0o644, 0o440), ("object", 0o000, 0o400), ("object", 0o4440, 0o440), ("object", 0o600, 0o400),
        ("folder", 0o550, 0o750), ("trash", 0o777, 0o750), ("trash/3600", 0o777, 0o750), ("trash folder", 0o777, 0o750),
        ("trash key", 0o666, 0o440), ("usage", 0o777, 0o750), ("usage/namespaces", 0o777, 0o750),
        ("usage/counting", 0o777, 0o750), ("usage/lost", 0o777, 0o750), ("lost", 0o666, 0o640),
        ("usage/epoch", 0o666, 0o640), ("usage/namespaces/ns", 0o666, 0o640), ("usage/counting/ns", 0o666, 0o640),
        ("barriers", 0o777, 0o750),
    ])
    func `Wrong permissions are reported and corrected, and other users get none`(what: String, wrong: Int, right: Int)
        throws
    {
        let used = try useAll()
        let path =
            switch what {
            case "trash folder": used.trash
            case "trash key": used.key
            case "lost": "usage/lost/\(Digest(of: []).hex)"
            case "object": StoreLayout.object(keys[0].digest)
            case "object folder": StoreLayout.objectFolder(keys[0].digest.firstByte)
            case "key": StoreLayout.key(keys[0])
            case "key folder": StoreLayout.keyFolder(keys[1])
            case "folder": StoreLayout.keyFolder(keys[0])
            default: what
            }
        #expect(chmod(disk.file(path), mode_t(wrong)) == 0)
        try expectRepaired(["wrongMode \(path)"])
        // A repair removes the record of lost content that no key names.
        #expect(what == "lost" || disk.status(disk.file(path))?.mode == UInt32(right))
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
    func `Files and folders with another owner are reported and corrected`() throws {
        _ = try useAll()
        let object = StoreLayout.object(keys[0].digest)
        let paths = [
            object, StoreLayout.key(keys[0]), "keys/ns", "locks/ab", "locks/gc", "clock", "usage/namespaces/ns",
            "usage/counting/ns", "usage/epoch", "trash/3600/\u{301}x",
        ]
        for path in paths { #expect(chown(disk.file(path), 65_534, 65_534) == 0) }
        try expectRepaired(paths.map { "wrongOwner \($0)" })
        var status = stat()
        #expect(stat(disk.file(object), &status) == 0 && status.st_uid == 0)
    }

    @Test(arguments: ["trash", "usage"])
    func `A file in place of a folder that is created on demand is reported`(name: String) throws {
        try write([1], to: disk.file(name))
        #expect(try inspect() == ["stray \(name)"])
        try disk.store.reportStrayFiles()
        #expect(disk.log.text.contains("\"file\": \(name)"))
    }

    @Test func `Names that are not UTF-8 are reported in every folder`() throws {
        _ = try useAll()
        let folders = [
            ".", "objects", "objects/\(shard)", "locks", "incoming", "keys", "keys/ns", "keys/ns/common",
            "keys/ns/common/\(shard)", "keys/other/custom", "keys/other/custom/p", "quarantine", "trash", "trash/3600",
            "usage", "usage/namespaces", "usage/lost", "barriers",
        ]
        for folder in folders {
            let path = disk.file("\(folder)/").utf8CString.dropLast() + [CChar(bitPattern: 0xFF), 0]
            close(open(Array(path), O_CREAT | O_WRONLY, 0o600))
        }
        let expected = folders.map { "stray " + ($0 == "." ? "" : "\($0)/") + "\u{FFFD}" }
        #expect(try inspect(repair: true) == expected.sorted())
        #expect(throws: StoreError.self) { try DiskStore.create(at: disk.file("keys")) }
    }

    @Test func `Stray files and folders are reported in every folder and never touched`() throws {
        let (trash, _) = try useAll()
        let hex = keys[0].digest.hex
        let wrongShard = try #require(StoreLayout.shards.first { $0 != shard && $0 != keys[2].digest.shard })
        try disk.makeFolder(disk.file("objects/\(wrongShard)"))
        chmod(disk.file("objects/\(wrongShard)"), 0o750)
        let files = [
            "README", "objects/zz", "objects/\(wrongShard)/\(hex)", "objects/\(shard)/note",
            "objects/\(shard)/\(hex.uppercased())", "locks/old", "keys/note", "keys/ns/note", "keys/ns/common/note",
            "keys/ns/common/\(shard)/note", "keys/other/custom/note", "keys/other/custom/\(hex).\(hex)",
            "keys/other/custom/p/\(hex).\(hex)", "keys/other/custom/p/@zz", "keys/other/custom/@\(shard)",
            "keys/ns/common/@\(shard)", "quarantine/note", "quarantine/\(hex)0.x", "trash/note", "trash/3600/note",
            "\(trash)/note", "usage/note", "usage/lost/note", "barriers/note",
        ]
        let folders = [
            "incoming/folder", "keys/a\u{1}b", "keys/ns/folder", "keys/ns/common/zz", "keys/other/custom/a b",
            "quarantine/\(hex).folder", "trash/-1", "trash/9223372036854775807", "trash/03600",
            "usage/namespaces/a\u{1}", "usage/counting/folder",
        ]
        for file in files { try write("stray".utf8, to: disk.file(file)) }
        for folder in folders { #expect(mkdir(disk.file(folder), 0o777) == 0) }
        try expectLeft((files + folders).map { "stray \($0)" })
        for file in files { #expect(try contents(of: disk.file(file)) == Array("stray".utf8)) }
        for folder in folders { #expect(disk.status(disk.file(folder)) != nil) }
    }

    @Test func `A link in place of a folder of keys is not followed, and no content counts as unreferenced`()
        throws
    {
        unlink(disk.keyFile(keys[2]))
        symlink("/etc", disk.file("keys/ns/custom"))
        var found: [String] = []
        try disk.store.inspect(repair: true) { found.append("\($0.kind) \($0.path)") }
        #expect(found.sorted() == ["stray keys/ns/custom", "unreadable keys/ns/custom"])
        #expect(disk.hasObject(other))
        #expect(disk.status("/etc")?.mode == 0o755)
    }

    @Test func `A link or folder in place of an object or key is reported, not followed, and stops no scrub`()
        throws
    {
        let outside = disk.folder.file("outside")
        try write(other, to: outside)
        chmod(outside, 0o666)
        let paths = [StoreLayout.object(keys[0].digest), StoreLayout.key(keys[0]), StoreLayout.key(keys[2])]
        for path in paths { unlink(disk.file(path)) }
        for path in paths.prefix(2) { symlink(outside, disk.file(path)) }
        mkdir(disk.file(paths[2]), 0o700)
        let strays = try inspect(repair: true).filter { $0.hasPrefix("stray") }
        #expect(strays == paths.map { "stray \($0)" }.sorted())
        #expect(disk.status(outside)?.mode == 0o666)
        let object = disk.objectFile(content)
        #expect(unlink(object) == 0 && mkdir(object, 0o700) == 0)
        #expect(try inspect().contains("stray \(paths[0])"))
        #expect(try disk.store.scrub { Issue.record("\($0)") }.files == 1, "the other object")
    }

    // MARK: The layout

    private func inspectLayout(repair: Bool = false) throws -> [String] {
        var found: [String] = []
        try DiskStore.inspectLayout(at: disk.path, repair: repair) { finding in
            if case .mended = finding.remedy { #expect(repair) } else { #expect(!repair) }
            found.append("\(finding.kind) \(finding.path)")
        }
        return found
    }

    @Test(arguments: StoreLayout.folders)
    func `A missing folder is reported and recreated as in a new store`(folder: String) throws {
        try FileManager.default.removeItem(atPath: disk.file(folder))
        #expect(try inspectLayout().first == "missing \(folder)")
        #expect(disk.status(disk.file(folder)) == nil)
        let made = [folder] + StoreLayout.lockFiles.filter { $0.hasPrefix("\(folder)/") }
        #expect(try inspectLayout(repair: true) == made.map { "missing \($0)" })
        #expect(try inspectLayout() == [])
        let store = try disk.open()
        try store.inspect(repair: true) { finding in
            // The missing folder held the key or its content.
            #expect([.keyWithoutContent, .unreferencedContent].contains(finding.kind), "\(finding)")
        }
        try store.inspect { #expect($0.kind == .keyWithoutContent && folder == "objects", "\($0)") }
        let isLost = ["keys", "objects"].contains(folder)
        #expect(try store.get(keys[0]) == (isLost ? nil : content))
    }

    @Test func `A missing lock file is reported and recreated`() throws {
        unlink(disk.file("locks/7f"))
        #expect(try inspectLayout(repair: true) == ["missing locks/7f"])
        #expect(disk.status(disk.file("locks/7f"))?.mode == 0o640)
        #expect(try inspectLayout() == [])
    }

    @Test func `A folder without layout.json never becomes a store`() throws {
        unlink(disk.file("layout.json"))
        rmdir(disk.file("quarantine"))
        let error = #expect(throws: StoreError.self) { try inspectLayout(repair: true) }
        #expect(error?.code == .unknownFormat)
        #expect(disk.status(disk.file("quarantine")) == nil)
    }
}
