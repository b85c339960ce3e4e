import Foundation
import TestSupport
import Testing

@testable import TarArchive

/// A member that a test writes into an archive or reads from one.
struct Member: Equatable, CustomStringConvertible {
    let entry: TarEntry
    var content: [UInt8] = []

    static func file(_ name: String, _ content: [UInt8] = [], modified: Int = 0) -> Member {
        let kind = TarEntry.Kind.file(size: UInt64(content.count))
        return Member(entry: TarEntry(name: Array(name.utf8), kind: kind, modified: modified), content: content)
    }

    static func link(_ name: String, to target: String) -> Member {
        Member(entry: TarEntry(name: Array(name.utf8), kind: .hardLink(to: Array(target.utf8)), modified: 0))
    }

    var description: String { "\(String(decoding: entry.name, as: UTF8.self)) \(entry.kind) \(content.count)" }
}

func archive(_ members: [Member]) throws -> [UInt8] {
    var bytes: [UInt8] = []
    var writer = TarWriter { bytes += Array($0) }
    for member in members {
        switch member.entry.kind {
        case .file(let size):
            try writer.add(file: member.entry.name, size: size, modified: member.entry.modified) { take in
                try member.content.withUnsafeBytes { try take($0) }
            }
        case .hardLink(let target):
            try writer.add(hardLink: member.entry.name, to: target, modified: member.entry.modified)
        case .folder: Issue.record("no folders are written")
        }
    }
    try writer.end()
    return bytes
}

/// A reader whose source returns at most a given number of bytes at a time.
func reader(_ archive: [UInt8], piece: Int = .max) -> TarReader {
    var rest = archive[...]
    return TarReader { buffer in
        let part = rest.prefix(min(buffer.count, piece))
        buffer.copyBytes(from: part)
        rest = rest.dropFirst(part.count)
        return part.count
    }
}

func read(_ archive: [UInt8], piece: Int = .max) throws -> [Member] {
    var reader = reader(archive, piece: piece)
    var members: [Member] = []
    while let entry = try reader.next() {
        var member = Member(entry: entry)
        try reader.content { member.content += Array($0) }
        members.append(member)
    }
    return members
}

@Suite(.runLimit) struct TarArchiveTests {
    private static let names = [
        "a", String(repeating: "n", count: 100), String(repeating: "n", count: 101),
        String(repeating: "p", count: 155) + "/" + String(repeating: "n", count: 100),
        String(repeating: "p", count: 156) + "/" + String(repeating: "n", count: 100),
        String(repeating: "d/", count: 120) + "name", String(repeating: "x", count: 1_000), "blobs/\u{E9}/日本",
        "e\u{301}",
        " ", "a=b\nc", "/" + String(repeating: "n", count: 100),
    ]

    @Test(arguments: names)
    func `The archive keeps every name byte for byte`(name: String) throws {
        let members = [
            Member.file(name, [1, 2, 3], modified: 1_764_038_400), .link("link", to: name), .link(name, to: "file"),
            .file("next"),
        ]
        #expect(try read(archive(members)) == members)
    }

    @Test(arguments: [0, 1, 511, 512, 513, 65_536, 200_001])
    func `The archive keeps content of every size, and consists of whole records`(size: Int) throws {
        let members = [Member.file("a", randomPayload(size)), .file("b", [7])]
        let bytes = try archive(members)
        #expect(bytes.count % 10_240 == 0)
        #expect(try read(bytes) == members)
    }

    @Test func `An archive can be read in pieces of any size`() throws {
        let members = [Member.file("a", randomPayload(1_000)), .link(Self.names[6], to: "a"), .file("b", [7])]
        let bytes = try archive(members)
        for piece in [1, 7, 512, 4_096] { #expect(try read(bytes, piece: piece) == members) }
    }

    @Test func `Content that is not read is skipped`() throws {
        var reader = try reader(archive([.file("a", randomPayload(100_000)), .file("b", [7])]))
        #expect(try reader.next()?.name == Array("a".utf8))
        #expect(try reader.next()?.name == Array("b".utf8))
        #expect(try reader.next() == nil)
    }

    @Test func `A file over 8 GiB has its real size`() throws {
        struct Enough: Error {}
        var bytes: [UInt8] = []
        var writer = TarWriter { bytes += Array($0) }
        let size = UInt64(1) << 40
        #expect(throws: Enough.self) {
            try writer.add(file: Array("large".utf8), size: size, modified: 0) { _ in throw Enough() }
        }
        var reader = reader(bytes)
        #expect(try reader.next()?.kind == .file(size: size))
    }

    @Test func `An archive cut off anywhere is refused`() throws {
        let bytes = try archive([.file("a", randomPayload(600)), .link(Self.names[6], to: "a")])
        let end = try #require(bytes.lastIndex { $0 != 0 }) / 512 * 512 + 512 + 2 * 512
        for length in 0..<end {
            #expect(throws: TarError.truncated, "after \(length) bytes") { try read(Array(bytes[..<length])) }
        }
        #expect(try read(Array(bytes[..<end])).count == 2)
    }

    @Test func `Every altered byte of a header is detected`() throws {
        let members = [Member.file("a", [1, 2, 3]), .link("b", to: "a"), .file(Self.names[6], [4])]
        let bytes = try archive(members)
        // The other blocks contain content, or attributes of the last file, and have no checksum.
        for header in [0, 2, 3, 6] {
            for index in (header * 512)..<((header + 1) * 512) {
                for change in [UInt8(0x01), 0x80] {
                    var altered = bytes
                    altered[index] ^= change
                    let found = try? read(altered)
                    // The checksum can be written in several ways.
                    #expect(found == nil || found == members, "byte \(index)")
                }
            }
        }
    }

    @Test func `Data after the end of the archive is refused, except zeros`() throws {
        let bytes = try archive([.file("a")])
        #expect(try read(bytes + [UInt8](repeating: 0, count: 10_240)).count == 1)
        #expect(throws: TarError.dataAfterEnd) { try read(bytes + bytes) }
        #expect(throws: TarError.dataAfterEnd) { try read(bytes + [1]) }
    }

    @Test func `A file that is not a tar archive is refused`() {
        for bytes in [[], [1], Array(repeating: 0x20, count: 512), randomPayload(2_000)] as [[UInt8]] {
            #expect(throws: TarError.self) { try read(bytes) }
        }
    }

    @Test(arguments: [
        "12 path=abc", "11 path=abc\n", "13 path=abc\n", "x path=abc\n", "-5 a=b\n", "5 ab\n", "2\n", " 9 path=\n",
        "99999999999999999999 path=a\n", "12 size=-1234\n", "29 size=99999999999999999999\n",
    ])
    func `Malformed attributes are refused`(records: String) throws {
        #expect(throws: TarError.extendedHeader) { try PaxRecords(Array(records.utf8)) }
        var header = TarHeader(UInt8(ascii: "x"), [])
        header.contentSize = UInt64(records.utf8.count)
        let padding = [UInt8](repeating: 0, count: 512 - records.utf8.count)
        let bytes = try header.block + Array(records.utf8) + padding + archive([.file("a")])
        #expect(throws: TarError.extendedHeader) { try read(bytes) }
    }

    @Test func `Attributes of any size do not fill the memory`() throws {
        var header = TarHeader(UInt8(ascii: "x"), [])
        header.contentSize = UInt64(TarReader.extensionLimit) + 1
        #expect(throws: TarError.extendedHeader) { try read(header.block) }
    }

    @Test(arguments: ["2", "3", "4", "6", "V", "M", "S"])
    func `Anything but files, hard links and folders is refused`(kind: String) throws {
        let header = TarHeader(try #require(kind.utf8.first), Array("name".utf8))
        #expect(throws: TarError.self) { try read(header.block + archive([])) }
    }

    @Test(arguments: ["1", "5"])
    func `A link or a folder has no content`(kind: String) throws {
        var header = TarHeader(try #require(kind.utf8.first), Array("name".utf8))
        header.contentSize = 1
        #expect(throws: TarError.contentOfNoFile) { try read(header.block + archive([])) }
    }
}

@Suite(.runLimit) struct ForeignTarTests {
    private let folder: TemporaryFolder
    private let content = randomPayload(3_000)
    private let long = String(repeating: "d", count: 90) + "/" + String(repeating: "n", count: 120)

    init() throws {
        folder = try TemporaryFolder()
        for path in ["x/short", "x/\(long)"] {
            let file = folder.file(path)
            let parent = (file as NSString).deletingLastPathComponent
            try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
        }
        try write(content, to: folder.file("x/short"))
        try FileManager.default.linkItem(atPath: folder.file("x/short"), toPath: folder.file("x/\(long)"))
    }

    private func members(_ command: [String]) throws -> [Member] {
        let made = try run(command[0], command.dropFirst() + ["-cf", folder.file("tar"), "-C", folder.file("x"), "."])
        try #require(made.status == 0, "\(made.output)")
        return try read(contents(of: folder.file("tar")))
    }

    @Test(arguments: [
        ["tar", "--format=gnu"], ["tar", "--format=pax"], ["bsdtar", "--format=pax"], ["bsdtar", "--format=gnutar"],
    ])
    func `Archives of other programs can be read`(command: [String]) throws {
        let found = try members(command)
        let names = Set(found.map { String(decoding: $0.entry.name, as: UTF8.self) })
        #expect(names.isSuperset(of: ["./", "./short", "./\(long)"]))
        let files = found.filter { if case .file = $0.entry.kind { true } else { false } }
        #expect(files.map(\.content) == [content])
        let links = found.filter { if case .hardLink = $0.entry.kind { true } else { false } }
        #expect(links.map(\.entry.kind) == files.map { .hardLink(to: $0.entry.name) })
    }

    @Test func `A sparse file is refused in each of GNU tar's formats`() throws {
        let file = folder.file("x/sparse")
        try write([1], to: file)
        #expect(truncate(file, 1 << 24) == 0)
        for format in [
            ["--format=gnu"], ["--format=pax", "--sparse-version=0.0"], ["--format=pax", "--sparse-version=0.1"],
            ["--format=pax", "--sparse-version=1.0"],
        ] {
            #expect(throws: TarError.sparse, "\(format)") { try members(["tar", "--sparse"] + format) }
        }
    }

    @Test func `An archive without magic is refused`() throws {
        unlink(folder.file("x/\(long)"))
        rmdir(folder.file("x/\(long.prefix(90))"))
        #expect(throws: TarError.unknownFormat) { try members(["tar", "--format=v7"]) }
    }
}
