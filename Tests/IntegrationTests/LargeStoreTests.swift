import Foundation
import TestStores
import TestSupport
import Testing

/// The memory that `lps` needs must not grow with the number of keys or the size of payloads.
@Suite(.serialized, .runLimit) struct LargeStoreTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    /// Makes a store of `keys` old keys, each with its own object, in a second: all are links to two files, and nothing
    /// is synced. The objects' bytes do not match their digests.
    private func makeStore(keys: Int) throws -> TestStore {
        let disk = try TestStore(isInMemory: true)
        let (content, old) = (disk.folder.file("content"), disk.folder.file("key"))
        try write(randomPayload(100), to: content)
        try write([], to: old)
        disk.setAge(old, seconds: 90 * 86_400)
        for shard in 0..<256 {
            for place in ["objects/", "keys/ns/common/", "keys/ns/custom/p/@"] {
                try FileManager.default.createDirectory(
                    atPath: disk.file(place + hex(UInt64(shard), digits: 2)),
                    withIntermediateDirectories: true
                )
            }
        }
        for index in 0..<keys {
            // Low digits first, so that keys spread over the shards.
            let digest = String(hex(UInt64(index), digits: 16).reversed()) + String(repeating: "0", count: 48)
            let (shard, place) = (digest.prefix(2), index % 2 == 0 ? "common/" : "custom/p/@")
            try #require(link(content, disk.file("objects/\(shard)/\(digest)")) == 0)
            try #require(link(old, disk.file("keys/ns/\(place)\(shard)/\(digest).\(digest)")) == 0)
        }
        return disk
    }

    private func hex(_ number: UInt64, digits: Int) -> String {
        let text = String(number, radix: 16)
        return String(repeating: "0", count: digits - text.count) + text
    }

    /// A command's peak memory in KiB, and its output.
    private func peakMemory(
        _ arguments: [String],
        store: String,
        environment: [String: String] = [:],
        redirection: String = ""
    ) throws -> (kibibytes: Int, output: String) {
        let report = folder.file("memory")
        // GNU time forks. A child of posix_spawn(3) shares the memory of the tests until it executes the command, and
        // the kernel counts that as the child's (getrusage(2), ru_maxrss).
        let command = ["time", "-q", "-f", "%M", "-o", report, Project.binary("lps"), arguments[0], "--store", store]
        let result = try run(
            "sh",
            ["-c", "exec \"$@\" \(redirection)", "sh"] + command + arguments.dropFirst(),
            environment: environment
        )
        #expect(result.status == 0, "\(result.output.suffix(1_000))")
        let text = try String(contentsOfFile: report, encoding: .utf8)
        return (try #require(Int(text.trimmingCharacters(in: .whitespacesAndNewlines))), result.output)
    }

    @Test func `lps du, gc and ls need no more memory for 60,000 keys than for 100`() throws {
        let (small, large) = (try makeStore(keys: 100), try makeStore(keys: 60_000))
        let commands: [(arguments: [String], expected: (String, Int) -> Bool)] = [
            (["du"], { $0.contains("\($1)") }),
            (
                ["gc", "--older-than", "30d", "--max-share", "100", "--dry-run"],
                { $0.contains("would delete \($1) keys") }
            ),
            (["ls"], { $0.split(separator: "\n").count == $1 }),
        ]
        for (arguments, expected) in commands {
            let few = try peakMemory(arguments, store: small.path)
            let many = try peakMemory(arguments, store: large.path)
            #expect(expected(few.output, 100), "\(arguments)")
            let isExpected = expected(many.output, 60_000)
            #expect(isExpected, "\(arguments): \(many.output.suffix(200))")
            // The keys alone would take 12 MiB. `lps du` holds 20,000 at a time.
            #expect(many.kibibytes - few.kibibytes < 8 << 10, "\(arguments): \(few.kibibytes), \(many.kibibytes) KiB")
        }
    }

    /// An engine that lists `keys` payloads, a thousand per page.
    private func engine(keys: Int) throws -> ScriptedServer {
        try ScriptedServer { _, request in
            guard request.line.contains("list-type=2") else { return [.error(404, "NoSuchKey")] }
            let token = request.line.components(separatedBy: "continuation-token=").dropFirst().first
            let start = token.flatMap { Int($0.prefix { $0.isNumber }) } ?? 0
            let end = min(start + 1_000, keys)
            let entries = (start..<end).map { number in
                let digest = String(repeating: "0", count: 64 - "\(number)".count) + "\(number)"
                let name = "sha256:\(digest)"
                return "<Contents><Key>/blobs/ns/common/\(name)/\(name)</Key><Size>1</Size>"
                    + "<LastModified>2026-11-01T00:00:00.000Z</LastModified></Contents>"
            }
            let next = "<IsTruncated>true</IsTruncated><NextContinuationToken>\(end)</NextContinuationToken>"
            let page = entries.joined() + (end < keys ? next : "")
            return [.answer(200, [], "<ListBucketResult>\(page)</ListBucketResult>")]
        }
    }

    @Test func `lps ls needs no more memory for 10,000 payloads of a bucket than for 100`() throws {
        func peak(_ keys: Int) throws -> Int {
            let server = try engine(keys: keys)
            let (kibibytes, output) = try peakMemory(
                ["ls"],
                store: "s3://bucket?endpoint=http://127.0.0.1:\(server.port)",
                environment: ["AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"]
            )
            let count = output.split(separator: "\n").count
            #expect(count == keys)
            return kibibytes
        }
        let (few, many) = (try peak(100), try peak(10_000))
        // The keys alone would take 2 MiB. A page of a thousand takes 400 KiB.
        #expect(many - few < 4 << 10, "\(few), \(many) KiB")
    }

    @Test func `Exporting and importing a 64 MiB payload takes less than 32 MiB of memory`() throws {
        let (source, target) = (try TestStore(isInMemory: true), try TestStore(isInMemory: true))
        let content = randomPayload(64 << 20)
        let key = try source.put(content)
        let archive = folder.file("archive")
        let exported = try peakMemory(["export"], store: source.path, redirection: "> '\(archive)'").kibibytes
        let imported = try peakMemory(["import"], store: target.path, redirection: "< '\(archive)'").kibibytes
        #expect(exported < 32 << 10 && imported < 32 << 10, "\(exported), \(imported) KiB")
        let isWhole = try target.get(key) == content
        #expect(isWhole)
    }
}
