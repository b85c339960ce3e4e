import Foundation
import PayloadKey
import TestSupport
import Testing

/// `lps scrub-cache` on files in nginx's format.
@Suite(.runLimit) struct CacheScrubTests {
    private let folder: TemporaryFolder
    private let content = randomPayload(200_000)

    init() throws { folder = try TemporaryFolder() }

    /// Writes an entry of the cache and returns its path.
    private func put(_ name: String, _ body: [UInt8], key: String? = nil) throws -> String {
        let path = folder.file("\(name.prefix(1))/\(name.prefix(2))/\(name)")
        let parent = (path as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
        let head = "\u{5}\0\0\0\nKEY: \(key ?? "ns/\(Digest(of: content).hex)")\nHTTP/1.1 200 OK\r\nETag: x\r\n\r\n"
        try write(Array(head.utf8) + body, to: path)
        return path
    }

    private func scrub(_ options: String...) throws -> Tool.Answer {
        try Tool(settings: [:]).run(["scrub-cache", folder.path] + options)
    }

    @Test func `Damaged payloads are removed and named, and all other files stay`() throws {
        let name = { (first: String) in first + String(repeating: "0", count: 31) }
        let kept = [
            try put(name("a"), content), try put(name("b"), [1], key: "of another cache"),
            try put(name("c") + ".0000000001", [1]), try put("no entry", [1]),
        ]
        let sound = try scrub()
        #expect(sound.status == 0, "\(sound.output)")
        #expect(sound.output == "read 1 entries, 195.5 KiB: 0 damaged or unreadable\n")
        let damaged = try put(name("d"), content.dropLast() + [content[199_999] ^ 1])
        let found = try scrub()
        #expect(found.status == 1 && found.lines.count == 2)
        #expect(
            found.lines[0].hasPrefix("damaged: \(damaged) has digest sha256:") && found.lines[0].hasSuffix("; removed")
        )
        #expect(found.lines[1] == "read 2 entries, 390.9 KiB: 1 damaged or unreadable")
        #expect(files(below: folder.path).sorted() == kept.map { String($0.dropFirst(folder.path.count + 1)) }.sorted())
    }

    @Test func `An unreadable entry is reported, and the rest is scrubbed`() throws {
        let unreadable = folder.file("0/00/\(String(repeating: "0", count: 32))")
        _ = try put(String(repeating: "0", count: 31) + "1", content)
        symlink("/etc/hostname", unreadable)
        let found = try scrub()
        #expect(found.status == 1 && found.errors.hasPrefix("lps: open \(unreadable): "))
        #expect(found.output == "read 1 entries, 195.4 KiB: 1 damaged or unreadable\n", "\(found.output)")
        #expect(try Tool(settings: [:]).run(["scrub-cache", "/nowhere"]).errors.contains("read folder /nowhere"))
    }
}
