import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

@testable import DiskStore

@Suite(.timeLimit(.minutes(5))) struct LeftoverTests {
    private let fixture: StoreFixture
    private let content = Array("a payload".utf8)

    init() throws {
        fixture = try StoreFixture()
    }

    @Test func `Leftovers older than a day go, younger ones and folders stay`() throws {
        _ = try fixture.upload(content, name: "old")
        _ = try fixture.upload(content, name: "young")
        mkdir(fixture.file("incoming/folder"), 0o700)
        fixture.setAge(fixture.file("incoming/old"), seconds: 86400 + 60)
        fixture.setAge(fixture.file("incoming/young"), seconds: 86400 - 60)
        fixture.setAge(fixture.file("incoming/folder"), seconds: 86400 + 60)
        #expect(try fixture.store.removeLeftovers() == 1)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: fixture.file("incoming")).sorted() == [
                "folder", "young",
            ]
        )
        #expect(try fixture.store.removeLeftovers() == 0)
    }

    @Test func `What a start that was killed has left behind is removed, too`() throws {
        for name in ["objects/.probe-x", "objects/.probe-y"] {
            try write([], to: fixture.file(name))
            fixture.setAge(fixture.file(name), seconds: 86400 + 60)
        }
        #expect(try fixture.store.removeLeftovers() == 2)
    }

    @Test func `Stray files in the tree are reported, ignored and left alone`() throws {
        try fixture.put(content)
        let hex = StoreLayout.objectFolder(Digest(of: content).firstByte)
        let stray = ["README", ".DS_Store", "objects/zz", "objects/note.txt", "locks/old", "keys/note.txt"]
        let deeper = ["\(hex)/note.txt", "keys/ns/note.txt", "keys/ns/common/note.txt"]
        for name in stray + deeper { try write("stray".utf8, to: fixture.file(name)) }
        try fixture.store.reportStrayFiles()
        for name in stray { #expect(fixture.log.text.contains("\"file\": \(name)]"), "\(name) is reported") }
        let reopened = try fixture.open()
        #expect(try reopened.open(fixture.key(content))?.size == UInt64(content.count))
        #expect(try fixture.put(content) == .existed)
        #expect(try fixture.put(content, metadata: "m") == .linked)
        for name in stray + deeper { #expect(try contents(of: fixture.file(name)) == Array("stray".utf8)) }
    }
}
