import Foundation
import PayloadKey
import Storage
import TestStores
import TestSupport
import Testing

@testable import DiskStore

/// Uploads of content that is damaged or in quarantine.
@Suite(.runLimit) struct DamagedContentTests {
    private let content = randomPayload(200_000)

    /// - Parameter hasQuota: whether namespaces have a quota and are counted.
    private func makeDisk(hasQuota: Bool = false) throws -> TestStore {
        try TestStore(quota: { _ in hasQuota ? 10_000_000 : nil })
    }

    @Test(arguments: Harm.allCases, [false, true])
    func `An upload quarantines damaged content and replaces it for every key`(
        harm: Harm,
        hasQuota: Bool
    ) throws {
        let disk = try makeDisk(hasQuota: hasQuota)
        let keys = [try disk.put(content), try disk.put(content, "other", prefix: "p/q")]
        try disk.harm(content, harm)
        let damaged = try contents(of: disk.objectFile(content))
        let third = try payloadKey(content, "third")
        #expect(try disk.commit(content, as: third) == .linked, "the content existed, damaged")
        for key in keys + [third] {
            #expect(try disk.get(key) == content)
            #expect(try disk.store.usage(of: key.namespace) == 200_000)
        }
        let quarantined = try disk.quarantined()
        #expect(quarantined.count == 1 && quarantined[0].hasPrefix("\(Digest(of: content).hex)."))
        for name in quarantined { #expect(try contents(of: disk.file("quarantine/\(name)")) == damaged) }
        #expect(disk.status(disk.objectFile(content))?.mode == 0o440)
        #expect(files(below: disk.file("incoming")).isEmpty)
        let line = try #require(
            disk.log.lines.first { $0.contains("damaged content replaced by a verified upload") }
        )
        #expect(line.hasPrefix("error") && line.contains("has \(damaged.count) bytes with digest"))
        #expect(line.contains("quarantine/\(quarantined[0])"))
        _ = try disk.store.scrub { Issue.record("\($0)") }
    }

    @Test(arguments: [false, true])
    func `An upload under an existing key replaces damaged content of the same size`(hasQuota: Bool)
        throws
    {
        let disk = try makeDisk(hasQuota: hasQuota)
        try disk.put(content)
        try disk.harm(content)
        #expect(try disk.get(content)?.count == content.count)
        for _ in 0..<2 {
            #expect(try disk.commit(content) == .existed)
            #expect(try disk.get(content) == content)
            #expect(try disk.quarantined().count == 1, "sound content is not replaced")
        }
    }

    @Test(arguments: ["link", "folder", "socket"])
    func `An upload replaces an object that is not a regular file, and quarantines it whole`(what: String)
        throws
    {
        let disk = try makeDisk()
        try disk.put(content)
        let object = disk.objectFile(content)
        unlink(object)
        switch what {
        case "link": symlink("/etc/passwd", object)
        case "folder": try disk.makeFolder("\(object)/folder")
        default: mknod(object, S_IFSOCK | 0o640, 0)
        }
        try #require(disk.status(object) != nil)
        #expect(try disk.commit(content) == .existed)
        #expect(try disk.get(content) == content)
        let quarantined = try disk.quarantined()
        #expect(quarantined.count == 1)
        if what == "folder" { #expect(disk.status(disk.file("quarantine/\(quarantined[0])/folder")) != nil) }
    }

    @Test func `A key with lost content exists without a size, and reading it logs the loss`() throws {
        let disk = try makeDisk()
        let key = try disk.put(content)
        try disk.harm(content)
        _ = try disk.store.scrub { _ in }
        let stored = try #require(try disk.store.find(key))
        #expect(stored.size == nil && stored.diskUsage == 0)
        #expect(try disk.get(key) == nil)
        #expect(disk.log.text.contains("content lost"))
        #expect(try disk.store.locate(key, until: nil) == nil)
        #expect(disk.log.lines.count { $0.contains("content lost") } == 2)
    }
}
