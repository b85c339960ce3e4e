import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

@testable import DiskStore

/// What an upload does with content that is damaged, or in quarantine.
@Suite(.timeLimit(.minutes(5))) struct DamagedContentTests {
    private let content = randomPayload(200_000)

    /// - Parameter hasQuota: whether the namespaces have one, and are counted.
    private func fixture(hasQuota: Bool) throws -> StoreFixture {
        try StoreFixture(quota: { _ in hasQuota ? 10_000_000 : nil })
    }

    @Test(arguments: Harm.allCases, [false, true])
    func `An upload over damaged content quarantines the damaged copy, and every key reads the right bytes`(
        harm: Harm,
        hasQuota: Bool
    ) throws {
        let fixture = try fixture(hasQuota: hasQuota)
        try fixture.put(content)
        try fixture.put(content, namespace: "other", prefix: "p/q")
        try fixture.harm(content, harm)
        let damaged = try contents(of: fixture.objectPath(content))
        #expect(
            try fixture.put(content, namespace: "third") == .linked,
            "its content has taken the place of the damaged one"
        )
        for (namespace, prefix) in [("ns", nil), ("other", "p/q"), ("third", nil)] {
            #expect(try fixture.get(content, namespace: namespace, prefix: prefix) == content)
            let namespace = try Namespace(validating: namespace.utf8)
            #expect(try fixture.store.usage(of: namespace) == 200_000)
        }
        let quarantined = try fixture.quarantined()
        #expect(quarantined.count == 1)
        #expect(quarantined.allSatisfy { $0.hasPrefix("\(Digest(of: content).hex).") })
        for name in quarantined { #expect(try contents(of: fixture.file("quarantine/\(name)")) == damaged) }
        #expect(fixture.status(fixture.objectPath(content))?.mode == 0o440)
        #expect(files(below: fixture.file("incoming")).isEmpty)
        #expect(fixture.log.text.contains("damaged content is replaced by a verified upload"))
        _ = try fixture.store.scrub { Issue.record("\($0)") }
    }

    @Test(arguments: [false, true])
    func `An upload under a key that is there already replaces damaged content of the same size, too`(hasQuota: Bool)
        throws
    {
        let fixture = try fixture(hasQuota: hasQuota)
        try fixture.put(content)
        try fixture.harm(content)
        #expect(try fixture.get(content)?.count == content.count)
        #expect(try fixture.put(content) == .existed)
        #expect(try fixture.get(content) == content)
        #expect(try fixture.quarantined().count == 1)
        #expect(try fixture.put(content) == .existed)
        #expect(try fixture.quarantined().count == 1, "what is right is left alone")
    }

    @Test(arguments: ["link", "folder", "socket"])
    func `An upload takes the place of what is no regular file`(what: String) throws {
        let fixture = try fixture(hasQuota: false)
        try fixture.put(content)
        let object = fixture.objectPath(content)
        unlink(object)
        switch what {
        case "link": symlink("/etc/passwd", object)
        case "folder": mkdir(object, 0o750)
        default: mknod(object, S_IFSOCK | 0o640, 0)
        }
        try #require(fixture.status(object) != nil)
        #expect(try fixture.put(content) == .existed)
        #expect(try fixture.get(content) == content)
        #expect(try fixture.quarantined().count == 1)
    }

    @Test func `The log says what was found, and where the damaged copy is`() throws {
        let fixture = try fixture(hasQuota: false)
        try fixture.put(content)
        try fixture.harm(content, .emptiness)
        try fixture.put(content)
        let line = try #require(fixture.log.lines.first { $0.contains("replaced by a verified upload") })
        #expect(line.hasPrefix("error"))
        #expect(line.contains("its 0 bytes have digest"))
        #expect(try line.contains("quarantine/\(#require(fixture.quarantined().first))"))
    }

    @Test func `A folder in the place of content goes to quarantine, with what is in it`() throws {
        let fixture = try fixture(hasQuota: false)
        try FileManager.default.createDirectory(
            atPath: fixture.objectPath(content) + "/folder",
            withIntermediateDirectories: true
        )
        #expect(try fixture.put(content) == .linked)
        #expect(try fixture.get(content) == content)
        let name = try #require(fixture.quarantined().first)
        #expect(fixture.status(fixture.file("quarantine/\(name)/folder")) != nil)
    }

    // MARK: Quarantine

    @Test func `A key whose content is lost is there, has no size, and is logged when it is asked for`() throws {
        let fixture = try fixture(hasQuota: false)
        try fixture.put(content)
        try fixture.harm(content)
        _ = try fixture.store.scrub { _ in }
        let stored = try #require(try fixture.store.find(fixture.key(content)))
        #expect(stored.size == nil && stored.diskUsage == 0)
        #expect(try fixture.get(content) == nil)
        #expect(fixture.log.text.contains("the content of a key is lost"))
    }
}
