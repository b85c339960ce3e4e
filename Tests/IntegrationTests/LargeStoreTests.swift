import Foundation
import TestSupport
import Testing

/// `lps` on a store of many keys: what it holds in memory must not grow with them.
@Suite(.serialized, .runLimit) struct LargeStoreTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    /// Makes a store of so many old keys, each of an object of its own name, in a few seconds: all are links to a few
    /// files, and nothing is synced. What the objects hold is of no matter here.
    private func makeStore(_ name: String, keys: Int) throws -> String {
        let store = folder.file(name)
        try #require(run(Project.binary("lps"), ["init", "--store", store]).status == 0)
        for shard in 0..<256 {
            let shard = hex(UInt64(shard), digits: 2)
            for place in ["objects/", "keys/ns/common/", "keys/ns/custom/p/@"] {
                try FileManager.default.createDirectory(
                    atPath: "\(store)/\(place)\(shard)",
                    withIntermediateDirectories: true
                )
            }
        }
        var (content, oldKey) = ("", "")
        for index in 0..<keys {
            // Its low digits come first, so that keys spread over the shards.
            let digest = String(hex(UInt64(index), digits: 16).reversed()) + String(repeating: "0", count: 48)
            let object = "\(store)/objects/\(digest.prefix(2))/\(digest)"
            let place = index % 2 == 0 ? "common/" : "custom/p/@"
            let key = "\(store)/keys/ns/\(place)\(digest.prefix(2))/\(digest).\(digest)"
            // A file has at most 65000 links on ext4.
            if index % 40_000 == 0 {
                (content, oldKey) = (object, key)
                try write(randomPayload(100), to: content)
                try write([], to: oldKey)
                var times = Array(repeating: timespec(tv_sec: time(nil) - 90 * 86_400, tv_nsec: 0), count: 2)
                try #require(utimensat(AT_FDCWD, oldKey, &times, 0) == 0)
            } else {
                try #require(link(content, object) == 0 && link(oldKey, key) == 0)
            }
        }
        return store
    }

    private func hex(_ number: UInt64, digits: Int) -> String {
        let text = String(number, radix: 16)
        return String(repeating: "0", count: digits - text.count) + text
    }

    /// The most memory that a command had at a time, in KiB, and what it wrote.
    private func peakMemory(_ arguments: [String], store: String) throws -> (kibibytes: Int, output: String) {
        let report = folder.file("memory")
        // GNU time forks. A child of posix_spawn(3) shares the memory of the tests until it executes the command, and
        // the kernel counts that as the child's (getrusage(2), ru_maxrss).
        let command = [Project.binary("lps"), arguments[0], "--store", store] + arguments.dropFirst()
        let result = try run("time", ["-q", "-f", "%M", "-o", report] + command)
        #expect(result.status == 0, "\(result.output.suffix(1_000))")
        let text = try String(contentsOfFile: report, encoding: .utf8)
        return (try #require(Int(text.trimmingCharacters(in: .whitespacesAndNewlines))), result.output)
    }

    @Test func `Looking through a hundred thousand payloads takes no more memory than through a hundred`() throws {
        let small = try makeStore("small", keys: 100)
        let large = try makeStore("large", keys: 100_000)
        let commands: [(arguments: [String], expected: (String, Int) -> Bool)] = [
            (["du"], { $0.contains("\($1)") }),
            (
                ["gc", "--older-than", "30d", "--max-share", "100", "--dry-run"],
                { $0.contains("would delete \($1) keys") }
            ),
            (["ls"], { $0.split(separator: "\n").count == $1 }),
        ]
        for (arguments, expected) in commands {
            let few = try peakMemory(arguments, store: small)
            let many = try peakMemory(arguments, store: large)
            #expect(expected(few.output, 100), "\(arguments)")
            let isExpected = expected(many.output, 100_000)
            #expect(isExpected, "\(arguments): \(many.output.suffix(200))")
            // The keys alone would be 20 MiB. 'lps du' holds 20,000 at a time.
            #expect(many.kibibytes - few.kibibytes < 8 << 10, "\(arguments): \(few.kibibytes), \(many.kibibytes) KiB")
        }
    }
}
