import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

@testable import DiskStore

@Suite(.timeLimit(.minutes(5))) struct InspectionTests {
    private let fixture: StoreFixture
    private let content = randomPayload(5_000)
    private let other = Array("another".utf8)

    init() throws {
        fixture = try StoreFixture()
        try fixture.put(content)
        try fixture.put(content, namespace: "other", prefix: "p/q")
        try fixture.put(other)
    }

    /// What an inspection finds, as `kind path`.
    private func inspect(repair: Bool = false) throws -> [String] {
        var found: [String] = []
        try fixture.store.inspect(repair: repair) { finding in
            switch finding.remedy {
            case .none: #expect(!repair || finding.kind == .stray, "\(finding)")
            case .mended: #expect(repair, "\(finding)")
            case .failed: Issue.record("\(finding)")
            }
            found.append("\(finding.kind) \(finding.path)")
        }
        return found.sorted()
    }

    /// Finds just this, changes nothing without being asked to, mends it, and then finds nothing.
    private func expectMended(_ expected: [String]) throws {
        let before = files(below: fixture.path)
        #expect(try inspect() == expected.sorted())
        #expect(files(below: fixture.path) == before)
        #expect(try inspect() == expected.sorted(), "it is still there")
        #expect(try inspect(repair: true) == expected.sorted())
        #expect(try inspect() == [])
        #expect(try fixture.get(other) == other)
    }

    private func relative(_ path: String) -> String {
        String(path.dropFirst(fixture.path.count + 1))
    }

    @Test func `Nothing is found in a sound store`() throws {
        #expect(try inspect() == [])
        _ = try fixture.store.scrub { Issue.record("\($0)") }
        #expect(try inspect(repair: true) == [], "nor with the record of a scrub")
    }

    @Test func `Nothing is found in a store that was made with a strict umask`() throws {
        for path in files(below: fixture.path) where path.hasPrefix("locks/") || path.hasSuffix(".json") {
            chmod(fixture.file(path), 0o600)
        }
        for folder in ["", "objects", "keys", "keys/ns", "incoming"] { chmod(fixture.file(folder), 0o700) }
        #expect(try inspect() == [])
    }

    @Test func `Unreferenced content is found, and deleted`() throws {
        let object = fixture.objectPath(content)
        unlink(try fixture.keyPath(content))
        unlink(try fixture.keyPath(content, namespace: "other", prefix: "p/q"))
        try expectMended(["unreferencedContent \(relative(object))"])
        #expect(fixture.status(object) == nil)
    }

    @Test func `Unreferenced content is found with the bytes that it takes`() throws {
        let object = fixture.objectPath(other)
        unlink(try fixture.keyPath(other))
        var status = stat()
        #expect(stat(object, &status) == 0)
        var reasons: [String] = []
        try fixture.store.inspect { reasons.append($0.reason) }
        #expect(reasons == ["is named by no key, and takes \(Int(status.st_blocks) * 512) bytes of the disk"])
    }

    @Test func `While garbage is collected, everything but unreferenced content is looked at`() throws {
        unlink(try fixture.keyPath(other))
        try write([1], to: fixture.file("README"))
        let collector = try fixture.store.collector()
        var found: [Finding.Kind] = []
        let error = #expect(throws: StoreError.self) { try fixture.store.inspect { found.append($0.kind) } }
        #expect(error?.code == .busy)
        #expect(found == [.stray])
        withExtendedLifetime(collector) {}
    }

    @Test func `Keys whose content is lost are found, also in the trash, until the payload is uploaded again`() throws {
        try fixture.store.moveToTrash(fixture.key(content), now: 0)
        unlink(fixture.objectPath(content))
        let trashed = StoreLayout.key(try fixture.key(content), in: "trash/3600")
        let keys = [relative(try fixture.keyPath(content, namespace: "other", prefix: "p/q")), trashed]
        let before = files(below: fixture.path)
        var found: [Finding] = []
        // There is nothing to repair them with.
        for repair in [false, true] { try fixture.store.inspect(repair: repair) { found.append($0) } }
        #expect(found.map { "\($0.kind) \($0.path)" } == (keys + keys).map { "keyWithoutContent \($0)" })
        for finding in found { if case .none = finding.remedy {} else { Issue.record("\(finding)") } }
        #expect(files(below: fixture.path) == before)
        try fixture.put(content, namespace: "third")
        #expect(try inspect() == [])
    }

    @Test func `An upload that was left for over a day is found, and deleted, a younger one is not`() throws {
        _ = try fixture.upload(other, name: "old")
        _ = try fixture.upload(other, name: "young")
        try write([], to: fixture.file("objects/.probe-young"))
        try write([], to: fixture.file("objects/.probe-old"))
        for name in ["incoming/old", "objects/.probe-old"] { fixture.setAge(fixture.file(name), seconds: 86_400 + 60) }
        try expectMended(["staleUpload incoming/old", "staleUpload objects/.probe-old"])
        #expect(fixture.status(fixture.file("incoming/young")) != nil)
        #expect(fixture.status(fixture.file("objects/.probe-young")) != nil)
    }

    @Test(arguments: [
        (".", 0o777, 0o755), ("objects", 0o777, 0o750), ("incoming", 0o1777, 0o750), ("locks", 0o640, 0o740),
        ("locks/ab", 0o666, 0o640), ("locks/00", 0o440, 0o640), ("locks/gc", 0o644, 0o640), ("clock", 0o666, 0o640),
        ("layout.json", 0o644, 0o640), ("key", 0o644, 0o440), ("key", 0o000, 0o400), ("key folder", 0o755, 0o750),
        ("keys/ns", 0o755, 0o750), ("keys/other/custom/p", 0o700 | 0o007, 0o700), ("object folder", 0o751, 0o750),
        ("object", 0o644, 0o440), ("object", 0o000, 0o400), ("object", 0o4440, 0o440), ("object", 0o600, 0o400),
        ("folder", 0o550, 0o750),
    ])
    func `Wrong permissions are found, and set; none are given to others`(what: String, wrong: Int, right: Int) throws {
        let path =
            switch what {
            case "object": relative(fixture.objectPath(content))
            case "object folder": StoreLayout.objectFolder(Digest(of: content).firstByte)
            case "key": relative(try fixture.keyPath(content))
            case "key folder": StoreLayout.keyFolder(try fixture.key(content, namespace: "other", prefix: "p/q"))
            case "folder": StoreLayout.keyFolder(try fixture.key(content))
            default: what
            }
        #expect(chmod(fixture.file(path), mode_t(wrong)) == 0)
        try expectMended(["wrongMode \(path)"])
        #expect(fixture.status(fixture.file(path))?.mode == UInt32(right))
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
    func `Files and folders of another user are found, and given back`() throws {
        let object = relative(fixture.objectPath(content))
        let paths = try [object, relative(fixture.keyPath(content)), "keys/ns", "locks/ab", "locks/gc", "clock"]
        for path in paths { #expect(chown(fixture.file(path), 65_534, 65_534) == 0) }
        try expectMended(paths.map { "wrongOwner \($0)" })
        var status = stat()
        #expect(stat(fixture.file(object), &status) == 0 && status.st_uid == 0)
    }

    /// Lets the store have what is made on demand: a part of the trash, and counters.
    private func useAll() throws -> (trash: String, key: String) {
        try fixture.put(content, namespace: "\u{301}x")
        try fixture.store.moveToTrash(fixture.key(content, namespace: "\u{301}x"), now: 0)
        _ = try fixture.store.recount(Namespace(validating: "ns".utf8))
        try fixture.put([])
        try fixture.harm([], .growth)
        _ = try fixture.store.scrub { _ in }
        try fixture.store.remove(fixture.key([]))
        let folder = "trash/3600/\u{301}x/common/\(Digest(of: content).shard)"
        return (folder, "\(folder)/\(StoreLayout.keyName(try fixture.key(content)))")
    }

    @Test func `Nothing is found in a trash, nor in counters`() throws {
        _ = try useAll()
        #expect(try inspect() == [])
    }

    @Test func `Permissions of the trash and of counters are looked at, too`() throws {
        let (folder, key) = try useAll()
        let wrong = [
            "trash", "trash/3600", folder, "usage", "usage/namespaces", "usage/counting", "usage/lost", "barriers",
        ]
        for path in wrong { chmod(fixture.file(path), 0o777) }
        let files = [
            "usage/epoch", "usage/namespaces/ns", "usage/counting/ns", "usage/lost/\(Digest(of: []).hex)", key,
        ]
        for path in files { chmod(fixture.file(path), 0o666) }
        try expectMended((wrong + files).map { "wrongMode \($0)" })
        #expect(fixture.status(fixture.file("usage/namespaces/ns"))?.mode == 0o640)
        #expect(fixture.status(fixture.file(key))?.mode == 0o440)
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
    func `A counter and a trash of another user are found, and given back`() throws {
        _ = try useAll()
        let paths = ["usage/namespaces/ns", "usage/counting/ns", "usage/epoch", "trash/3600/\u{301}x"]
        for path in paths { #expect(chown(fixture.file(path), 65_534, 65_534) == 0) }
        try expectMended(paths.map { "wrongOwner \($0)" })
    }

    @Test func `What is neither of the trash nor of the counters is found, and never touched`() throws {
        let (folder, _) = try useAll()
        let strays = [
            "trash/note", "trash/-1", "trash/9223372036854775807", "trash/03600", "trash/3600/note", "\(folder)/note",
            "usage/note", "usage/namespaces/a\u{1}", "usage/counting/folder", "usage/lost/note", "barriers/note",
        ]
        for path in strays {
            if path.hasSuffix("note") {
                try write([1], to: fixture.file(path))
            } else {
                #expect(mkdir(fixture.file(path), 0o777) == 0)
            }
        }
        #expect(try inspect(repair: true) == strays.map { "stray \($0)" }.sorted())
        for path in strays { #expect(fixture.status(fixture.file(path)) != nil) }
    }

    @Test(arguments: ["trash", "usage"])
    func `What is no folder, where one is made on demand, is found`(name: String) throws {
        try write([1], to: fixture.file(name))
        #expect(try inspect() == ["stray \(name)"])
        try fixture.store.reportStrayFiles()
        #expect(fixture.log.text.contains("file: \(name)") || fixture.log.text.contains("\"file\": \(name)"))
    }

    @Test func `Names that are not UTF-8 are found everywhere`() throws {
        _ = try useAll()
        let shard = Digest(of: content).shard
        let folders = [
            ".", "objects", "objects/\(shard)", "locks", "incoming", "keys", "keys/ns", "keys/ns/common",
            "keys/ns/common/\(shard)", "keys/other/custom", "keys/other/custom/p", "quarantine", "trash", "trash/3600",
            "usage", "usage/namespaces", "usage/lost", "barriers",
        ]
        for folder in folders {
            let path =
                fixture.file(folder).utf8CString.dropLast() + [CChar(UInt8(ascii: "/")), CChar(bitPattern: 0xFF), 0]
            close(open(Array(path), O_CREAT | O_WRONLY, 0o600))
        }
        let expected = folders.map { "stray " + ($0 == "." ? "" : "\($0)/") + "\u{FFFD}" }
        #expect(try inspect(repair: true) == expected.sorted())
        #expect(throws: StoreError.self) { try DiskStore.create(at: fixture.file("keys")) }
    }

    @Test func `What is not the store's is found everywhere, and never touched`() throws {
        let shard = StoreLayout.objectFolder(Digest(of: content).firstByte)
        let hex = Digest(of: content).hex
        let wrongShard = try #require(StoreLayout.shards.first { $0 != Digest(of: content).shard })
        mkdir(fixture.file("objects/\(wrongShard)"), 0o750)
        let files = [
            "README", "objects/zz", "objects/\(wrongShard)/\(hex)", "\(shard)/note", "\(shard)/\(hex.uppercased())",
            "locks/old", "keys/note", "keys/ns/note", "keys/ns/common/note", "keys/ns/common/\(hex.prefix(2))/note",
            "keys/other/custom/note", "keys/other/custom/\(hex).\(hex)", "keys/other/custom/p/\(hex).\(hex)",
            "keys/other/custom/p/@zz", "keys/other/custom/@\(hex.prefix(2))", "keys/ns/common/@\(hex.prefix(2))",
            "quarantine/note", "quarantine/\(hex)0.x",
        ]
        let folders = [
            "incoming/folder", "keys/a\u{1}b", "keys/ns/folder", "keys/ns/common/zz", "keys/other/custom/a b",
            "quarantine/\(hex).folder",
        ]
        for file in files { try write("stray".utf8, to: fixture.file(file)) }
        for folder in folders { #expect(mkdir(fixture.file(folder), 0o777) == 0) }
        let strays = (files + folders).map { "stray \($0)" }.sorted()
        #expect(try inspect(repair: true) == strays)
        #expect(try inspect() == strays)
        for file in files { #expect(try contents(of: fixture.file(file)) == Array("stray".utf8)) }
        for folder in folders { #expect(fixture.status(fixture.file(folder)) != nil) }
    }

    @Test func `A link in the place of a folder of keys is not followed, and no content is taken for unreferenced`()
        throws
    {
        unlink(try fixture.keyPath(other))
        symlink("/etc", fixture.file("keys/ns/custom"))
        var found: [String] = []
        try fixture.store.inspect(repair: true) { found.append("\($0.kind) \($0.path)") }
        #expect(found.sorted() == ["stray keys/ns/custom", "unreadable keys/ns/custom"])
        #expect(fixture.hasObject(other))
        #expect(fixture.status("/etc")?.mode == 0o755)
    }

    @Test func `Something else at the place of an object or a key is reported, and a scrub goes on`() throws {
        let object = fixture.objectPath(content)
        let key = try fixture.keyPath(other)
        for path in [object, key] {
            unlink(path)
            mkdir(path, 0o700)
        }
        let found = try inspect()
        #expect(found.contains("stray \(relative(object))"))
        #expect(found.contains("stray \(relative(key))"))
        let read = try fixture.store.scrub { Issue.record("\($0)") }
        #expect(read.files == 1, "the other object")
    }

    @Test func `A link that leads out of the store is not followed`() throws {
        let outside = fixture.folder.file("outside")
        try write(other, to: outside)
        chmod(outside, 0o666)
        for path in [fixture.objectPath(content), try fixture.keyPath(content)] {
            unlink(path)
            symlink(outside, path)
        }
        #expect(try inspect(repair: true).filter { $0.hasPrefix("stray") }.count == 2)
        #expect(fixture.status(outside)?.mode == 0o666)
    }
}

@Suite(.timeLimit(.minutes(5))) struct LayoutInspectionTests {
    private let fixture: StoreFixture
    private let content = Array("a payload".utf8)

    init() throws {
        fixture = try StoreFixture()
        try fixture.put(content)
    }

    private func inspect(repair: Bool = false) throws -> [String] {
        var found: [String] = []
        try DiskStore.inspectLayout(at: fixture.path, repair: repair) { finding in
            if case .mended = finding.remedy { #expect(repair) } else { #expect(!repair) }
            found.append("\(finding.kind) \(finding.path)")
        }
        return found
    }

    @Test(arguments: ["incoming", "objects", "keys", "locks", "quarantine", "barriers"])
    func `A folder that is missing is found, and made as a new store has it`(folder: String) throws {
        try FileManager.default.removeItem(atPath: fixture.file(folder))
        #expect(try inspect().first == "missing \(folder)")
        #expect(fixture.status(fixture.file(folder)) == nil)
        let mended = try inspect(repair: true)
        #expect(
            mended == ["missing \(folder)"]
                + StoreLayout.lockFiles.filter { $0.hasPrefix("\(folder)/") }.map { "missing \($0)" }
        )
        #expect(try inspect() == [])
        let store = try fixture.open()
        try store.inspect(repair: true) { finding in
            // With its folder, its content or its key is lost.
            #expect([.keyWithoutContent, .unreferencedContent].contains(finding.kind), "\(finding)")
        }
        try store.inspect { #expect($0.kind == .keyWithoutContent && folder == "objects", "\($0)") }
        let isLost = ["keys", "objects"].contains(folder)
        #expect(try fixture.get(content) == (isLost ? nil : content))
    }

    @Test func `A lock file that is missing is found, and made`() throws {
        unlink(fixture.file("locks/7f"))
        #expect(try inspect(repair: true) == ["missing locks/7f"])
        #expect(fixture.status(fixture.file("locks/7f"))?.mode == 0o640)
        #expect(try inspect() == [])
    }

    @Test func `A folder without layout.json never becomes a store`() throws {
        unlink(fixture.file("layout.json"))
        rmdir(fixture.file("quarantine"))
        let error = #expect(throws: StoreError.self) { try inspect(repair: true) }
        #expect(error?.code == .unknownFormat)
        #expect(fixture.status(fixture.file("quarantine")) == nil)
    }
}
