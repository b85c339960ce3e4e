import DiskStore
import Foundation
import PayloadKey
import Storage
import TestSupport
import Testing

/// Reads and writes that move less than they were asked to, as the kernel may at any time: every one of a program's moves
/// so few bytes that each loop has to go on.
@Suite(.serialized, .runLimit) struct ShortTransferTests {
    /// One byte at a time is the least that may be.
    private static let settings = ["SHORT": "1"]

    @Test func `A worker whose transfers are short stores and serves whole payloads`() throws {
        for mode in Stack.Mode.allCases {
            let stack = try Stack(mode)
            let count = stack.folder.file("count")
            let policy = try stack.policy("[a]\nquota = 100000\n")
            let settings = stack.folder.file("settings")
            try write("LPS_POLICY=\(policy)\nLPS_MAX_PAYLOAD=50000\n".utf8, to: settings)
            let runtime = stack.folder.file("short-pool")
            try FileManager.default.createDirectory(atPath: runtime, withIntermediateDirectories: true)
            let access = stack.folder.file("short-access.log")
            let victim = try Victim(
                stack,
                options: ["--config", settings, "--runtime-dir", runtime, "--access-log", access],
                environment: Preload.environment(Self.settings, count: count)
            )
            // ASCII, for the answer is text.
            let payload = randomPayload(20_000).map { $0 & 0x3F + 0x20 }
            for status in [201, 200] {
                let answer = try victim.put(payload, "a")
                #expect(answer.status == status && answer.body == "{\"Key\":\"\(Stack.key(of: payload, "a"))\"}\n")
            }
            let fetched = try victim.get(payload, "a")
            let isWhole = fetched.status == 200 && fetched.body == String(decoding: payload, as: UTF8.self)
            #expect(isWhole)
            #expect(try victim.put(randomPayload(50_001), "a").status == 413, "the settings were read to their end")
            #expect(try victim.put(randomPayload(40_000), "a").status == 201)
            let refused = try victim.put(randomPayload(45_000), "a")
            #expect(refused.status == 507 && refused.body.contains("uses 60000"), "\(refused.body)")
            let wrong = try victim.request(
                [
                    "REQUEST_METHOD": "PUT", "SCRIPT_NAME": "/v2/blobs/put",
                    "QUERY_STRING": "namespace=b&digest=\(Stack.digest([1]))",
                    "CONTENT_TYPE": "application/octet-stream", "CONTENT_LENGTH": "\(payload.count)",
                    "HTTP_X_TEMPORAL_METADATA": "e30=",
                ],
                body: payload
            )
            #expect(wrong.status == 400)
            #expect(victim.process.isRunning)
            // What a line is written in may be many writes, but it is all there.
            try eventually("the log has whole lines") {
                let log = try String(contentsOfFile: access, encoding: .utf8)
                return log.hasSuffix("\n") && log.split(separator: "\n").count == 7
            }
            #expect(Preload.count(count) > 2000)
            // nginx removes its own.
            #expect(!stack.incoming.contains { $0.hasPrefix("upload-") })
            // Another of its kind joins the pool by the same scoreboard.
            #expect(try Victim(stack, options: ["--runtime-dir", runtime]).put(payload, "a").status == 200)
        }
    }

    @Test func `Commands whose transfers are short do the same as ever`() throws {
        let local = try LocalStore()
        let count = local.folder.file("count")
        let environment = try Preload.environment(Self.settings, count: count)
        /// Runs `lps` with short transfers: what it wrote.
        func lps(_ store: LocalStore, _ arguments: [String], input: String? = nil, status: Int32 = 0) throws -> [UInt8]
        {
            let process = try store.start(arguments, environment: environment, input: input)
            let ended = process.wait()
            #expect(ended == status, "\(arguments): \(ended) \(process.log)")
            return try contents(of: process.logPath)
        }
        let made = local.folder.file("made")
        let initialisation = try ChildProcess(
            Project.binary("lps"),
            ["init", "--store", made],
            environment: environment,
            log: local.folder.file("log")
        )
        #expect(initialisation.wait() == 0)
        try DiskStore(path: made, reserve: 0, logger: RecordedLog().logger).inspect { Issue.record("\($0)") }
        let payloads = [randomPayload(20_000), randomPayload(0), randomPayload(1)]
        let file = local.folder.file("file")
        for payload in payloads {
            try write(payload, to: file)
            let key = try LocalStore.key(payload, "a")
            #expect(try lps(local, ["put", file, "--namespace", "a"]) == Array("\(key)\n".utf8))
            let written = try lps(local, ["get", "\(key)"])
            #expect(written == payload)
        }
        #expect(try lps(local, ["ls"]).filter { $0 == UInt8(ascii: "\n") }.count == 3)
        _ = try lps(local, ["scrub"])
        // By its record, which is JSON: nothing is read again.
        let again = String(decoding: try lps(local, ["scrub", "--since-last"]), as: UTF8.self)
        #expect(again.contains("not read again what is unchanged since"), "\(again)")

        let archive = local.folder.file("archive")
        try write(lps(local, ["export"]), to: archive)
        let copy = try LocalStore()
        _ = try lps(copy, ["import"], input: archive)
        for payload in payloads { #expect(try copy.get(LocalStore.key(payload, "a")) == payload) }

        let key = try LocalStore.key(payloads[0], "a")
        let policy = local.folder.file("policy")
        try write("[a]\nquota = 1m\nretention = 2d\n".utf8, to: policy)
        for _ in 1...2 {
            let recounted = try lps(local, ["quota", "--policy", policy, "--recount", "--json"])
            #expect(String(decoding: recounted, as: UTF8.self).contains("\"used\":20001"))
        }
        try local.makeOld(key, days: 3)
        _ = try lps(local, ["gc", "--policy", policy, "--keep-trash", "1d"])
        #expect(try local.get(key) == nil)
        _ = try lps(local, ["undelete"])
        #expect(try local.get(key) == payloads[0])
        try local.damage(key)
        _ = try lps(local, ["scrub"], status: 1)
        #expect(try local.get(key) == nil)
        // Another key of the same content revives the one that has lost it.
        let other = try LocalStore.key(payloads[0], "b")
        try write(payloads[0], to: file)
        let stored = String(decoding: try lps(local, ["put", file, "--namespace", "b"]), as: UTF8.self)
        #expect(stored.hasSuffix("\(other)\n"), "\(stored)")
        #expect(try local.get(key) == payloads[0])
        // An upload is compared with what is there, piece by piece.
        try local.damage(key)
        _ = try lps(local, ["put", file, "--namespace", "b"])
        #expect(try local.get(key) == payloads[0])
        #expect(Preload.count(count) > 500)
        _ = try lps(local, ["rm", "\(key)"])
        try local.expectSound()
        try local.expectOnlyLeftovers()
    }
}
