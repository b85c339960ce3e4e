import Foundation
import PayloadKey
import Storage
import TestStores
import TestSupport
import Testing

/// Reads and writes of one byte, which the kernel may return at any time: every loop must continue. The simulation also
/// covers those of the store.
@Suite(.serialized, .runLimit) struct ShortTransferTests {
    @Test func `A worker with short transfers stores and serves whole payloads`() throws {
        let stack = try Stack(.plain)
        func file(_ name: String) -> String { stack.folder.file(name) }
        let policy = try stack.policy("[a]\nquota = 100000\n")
        try write("LPS_POLICY=\(policy)\nLPS_MAX_PAYLOAD=50000\n".utf8, to: file("settings"))
        mkdir(file("short-pool"), 0o755)
        let victim = try Victim(
            stack,
            options: [
                "--config", file("settings"), "--runtime-dir", file("short-pool"), "--access-log",
                file("short-access.log"),
            ],
            environment: Preload.environment(["SHORT": "1"], count: file("count"))
        )
        // ASCII, because the answer is read as text.
        let payload = randomPayload(20_000).map { $0 & 0x3F + 0x20 }
        for status in [201, 200] {
            let answer = try victim.put(payload, "a")
            #expect(answer.status == status && answer.body == "{\"Key\":\"\(Stack.key(of: payload, "a"))\"}\n")
        }
        let fetched = try victim.get(payload, "a")
        let isWhole = fetched.status == 200 && fetched.body == String(decoding: payload, as: UTF8.self)
        #expect(isWhole)
        #expect(try victim.put(randomPayload(50_001), "a").status == 413, "the settings were read completely")
        #expect(try victim.put(randomPayload(40_000), "a").status == 201)
        let refused = try victim.put(randomPayload(45_000), "a")
        #expect(refused.status == 507 && refused.body.contains("uses 60000"), "\(refused.body)")
        // A line may take many writes, but is complete.
        try eventually("the log has whole lines") {
            let log = try String(contentsOfFile: file("short-access.log"), encoding: .utf8)
            return log.hasSuffix("\n") && log.split(separator: "\n").count == 6
        }
        #expect(Preload.count(file("count")) > 2000)
        try stack.expectNothingIncoming()
        // Another worker joins the pool through the same scoreboard.
        #expect(try Victim(stack, options: ["--runtime-dir", file("short-pool")]).put(payload, "a").status == 200)
    }

    @Test func `lps commands with short transfers give the same results`() throws {
        let local = try TestStore(isInMemory: true)
        let count = local.folder.file("count")
        let environment = try Preload.environment(["SHORT": "1"], count: count)
        /// Runs `lps` with short transfers and returns its output.
        func lps(_ store: TestStore, _ arguments: String..., input: String? = nil, status: Int32 = 0) throws -> [UInt8]
        {
            let process = try store.start(arguments, environment: environment, input: input)
            let ended = process.wait()
            #expect(ended == status, "\(arguments): \(ended) \(process.log)")
            return try contents(of: process.logPath)
        }
        func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
        let payloads = [randomPayload(20_000), randomPayload(0), randomPayload(1)]
        let keys = try payloads.map { try payloadKey($0, "a") }
        let file = local.folder.file("file")
        for (payload, key) in zip(payloads, keys) {
            try write(payload, to: file)
            #expect(try text(lps(local, "put", file, "--namespace", "a")) == "\(key)\n")
            let written = try lps(local, "get", "\(key)")
            #expect(written == payload)
        }
        #expect(try text(lps(local, "ls")).split(separator: "\n").count == 3)
        _ = try lps(local, "scrub")
        // The record of the last scrub is JSON. Nothing else is read again.
        #expect(try text(lps(local, "scrub", "--since-last")).contains("skipped files unchanged since"))

        let (archive, copy) = (local.folder.file("archive"), try TestStore(isInMemory: true))
        try write(lps(local, "export"), to: archive)
        _ = try lps(copy, "import", input: archive)
        for (payload, key) in zip(payloads, keys) { #expect(try copy.get(key) == payload) }

        let policy = local.folder.file("policy")
        try write("[a]\nquota = 1m\nretention = 2d\n".utf8, to: policy)
        for _ in 1...2 {
            #expect(try text(lps(local, "quota", "--policy", policy, "--recount", "--json")).contains("\"used\":20001"))
        }
        try local.makeOld(keys[0], days: 3)
        _ = try lps(local, "gc", "--policy", policy, "--keep-trash", "1d")
        #expect(try local.get(keys[0]) == nil)
        _ = try lps(local, "undelete")
        #expect(try local.get(keys[0]) == payloads[0])
        try local.harm(payloads[0])
        _ = try lps(local, "scrub", status: 1)
        #expect(try local.get(keys[0]) == nil)
        // An upload under another key restores the lost content. The next upload is compared with the stored content.
        try write(payloads[0], to: file)
        let other = try payloadKey(payloads[0], "b")
        for _ in 0..<2 {
            let stored = try text(lps(local, "put", file, "--namespace", "b"))
            #expect(stored.hasSuffix("\(other)\n"), "\(stored)")
            #expect(try local.get(keys[0]) == payloads[0])
            try local.harm(payloads[0])
        }
        _ = try lps(local, "put", file, "--namespace", "b")
        #expect(Preload.count(count) > 500)
        _ = try lps(local, "rm", "\(keys[0])")
        _ = try local.store.scrub { Issue.record("\($0)") }
        try local.expectOnlyLeftovers()
    }
}
