import DiskStore
import Foundation
import PayloadKey
import Storage
import TestStores
import TestSupport
import Testing

/// `lps quota`, and what the other commands do to usage.
@Suite(.runLimit) struct QuotaCommandTests {
    /// A store on a disk whose workers allow `ns` 10,000 bytes.
    private let disk: TestStore
    private let policy: String

    init() throws {
        disk = try TestStore(isInMemory: true) { $0.description == "ns" ? 10_000 : nil }
        policy = try disk.policy("[ns]\nquota = 10000\nretention = 2d\n[empty]\nquota = 1m\n")
    }

    private func used() throws -> Int? {
        try jsonLines(disk.lps("quota", "--json", "--namespace", "ns")).first?["used"] as? Int
    }

    /// Stores a payload as the service does, unless the quota refuses it.
    private func isRefused(_ content: [UInt8]) throws -> Bool {
        do {
            try disk.store.checkQuota(for: UInt64(content.count), as: payloadKey(content))
            try disk.put(content)
            return false
        } catch let error as StoreError where error.code == .quotaExceeded {
            return true
        }
    }

    @Test func `Usage and quota of each namespace are shown, also if only the policy names it`() throws {
        try disk.put(randomPayload(6_000))
        try disk.put(randomPayload(20_000), "free")
        let table = try disk.lps("quota", "--policy", policy).lines.map { $0.split(separator: " ") }
        #expect(
            table == [
                ["NAMESPACE", "USED", "QUOTA", "LEFT"], ["empty", "0", "B", "1.0", "MiB", "1.0", "MiB"],
                ["free", "19.5", "KiB", "-", "-"], ["ns", "5.9", "KiB", "9.8", "KiB", "3.9", "KiB"],
            ]
        )
        let rows = try jsonLines(disk.lps("quota", "--policy", policy, "--json"))
        #expect(rows.map { $0["namespace"] as? String } == ["empty", "free", "ns"])
        #expect(rows.map { $0["used"] as? Int } == [0, 20_000, 6_000])
        #expect(rows.map { $0["quota"] as? Int } == [1 << 20, nil, 10_000])
        #expect(try disk.lps("quota", "--policy", policy, "--namespace", "ns").lines.count == 2)
        #expect(try disk.lps("quota").lines.last?.hasSuffix("-") == true, "without a policy")
    }

    @Test func `Every command that frees space in the store also lowers usage`() throws {
        let old = try disk.put(randomPayload(6_000), days: 3)
        let young = try disk.put(randomPayload(4_000))
        #expect(try used() == 10_000)
        let collected = try disk.lps("gc", "--policy", policy, "--keep-trash", "3d")
        #expect(collected.output.hasPrefix("deleted 1 keys"))
        #expect(try used() == 4_000)
        #expect(try !isRefused(randomPayload(5_000)))
        // A quota does not stop `undelete`, but the restored payload counts.
        #expect(try disk.lps("undelete", "\(old)").status == 0)
        #expect(try used() == 15_000 && isRefused([1]))
        #expect(try disk.lps("rm", "\(old)", "\(young)").status == 0)
        #expect(try used() == 5_000)
        let file = disk.folder.file("file")
        try write(randomPayload(6_000), to: file)
        #expect(try disk.lps("put", file, "--namespace", "ns").status == 0)
        #expect(try used() == 11_000 && isRefused([1]))
        let scrub = try disk.lps("scrub")
        #expect(scrub.status == 0, "counters are not strays: \(scrub.output)")
    }

    @Test func `A collection deletes the counters of namespaces that it emptied`() throws {
        let key = try disk.put(randomPayload(9_000))
        #expect(try disk.lps("rm", "\(key)").status == 0)
        #expect(try disk.lps("gc", "--older-than", "2d", "--dry-run").status == 0)
        #expect(files(below: disk.file("usage")).contains("namespaces/ns"))
        #expect(try disk.lps("gc", "--older-than", "2d").status == 0)
        #expect(!files(below: disk.file("usage")).contains("namespaces/ns"))
        try disk.put(randomPayload(9_000))
        #expect(try isRefused(randomPayload(1_001)) && used() == 9_000)
    }

    @Test func `A recount corrects usage after keys were deleted by hand`() throws {
        try disk.put(randomPayload(6_000), prefix: "by-hand")
        try disk.put(randomPayload(1_000))
        try FileManager.default.removeItem(atPath: disk.file("keys/ns/custom"))
        #expect(try isRefused(randomPayload(6_000)))
        let recounted = try disk.lps("quota", "--recount")
        #expect(recounted.status == 0 && recounted.errors == "lps: usage of 'ns' corrected from 7000 to 1000 bytes\n")
        #expect(try disk.lps("quota", "--recount").errors.isEmpty)
        let row = try jsonLines(disk.lps("quota", "--recount", "--json")).first
        #expect(row?["used"] as? Int == 1_000 && row?["usedBefore"] as? Int == 1_000)
        #expect(try !isRefused(randomPayload(6_000)))
    }

    @Test(arguments: ["put", "import"])
    func `put and import wait while a namespace is counted`(command: String) throws {
        let content = randomPayload(9_000)
        let key = try disk.put(content)
        let file = disk.folder.file("file")
        try write(content, to: file)
        let archive = try disk.lps("export").bytes
        #expect(try disk.lps("rm", "\(key)").status == 0)
        // A worker is counting.
        let lock = open(disk.file("usage/counting/ns"), O_RDWR | O_CLOEXEC)
        defer { close(lock) }
        #expect(flock(lock, LOCK_EX) == 0)
        #expect(truncate(disk.file("usage/namespaces/ns"), 0) == 0)
        let tool = disk.tool
        let isDone = Counter()
        try concurrently(2) { index in
            guard index == 0 else {
                // Time for a fault to show. A correct command passes without it.
                usleep(200_000)
                #expect(isDone.value == 0)
                #expect(flock(lock, LOCK_UN) == 0)
                return
            }
            let arguments = command == "put" ? ["put", file, "--namespace", "ns"] : ["import"]
            let answer = try tool.run(arguments, input: archive)
            isDone.add()
            #expect(answer.status == 0, "\(answer.errors)")
        }
        #expect(try used() == 9_000 && disk.get(key) == content)
    }
}
