import Foundation
import PayloadKey
import TestStores
import TestSupport
import Testing

/// `lps gc` on a bucket with scripted ages.
@Suite(.runLimit) struct BucketCollectionTests {
    private let folder: TemporaryFolder
    private let now = Date()

    init() throws { folder = try TemporaryFolder() }

    private func key(_ content: String, _ namespace: String = "ns") throws -> PayloadKey {
        try payloadKey(Array(content.utf8), namespace)
    }

    private func time(hoursAgo hours: Double) -> Date { now.addingTimeInterval(-hours * 3600) }

    /// - Parameters:
    ///   - listed: keys, each with the hours since it was stored, as listings report them.
    ///   - found: the same, as HEAD requests report them.
    private func engine(_ listed: [PayloadKey: Double], found: [PayloadKey: Double]) throws -> ScriptedServer {
        let entries = Dictionary(
            uniqueKeysWithValues: listed.map { key, hours in
                let time = ISO8601DateFormatter().string(from: time(hoursAgo: hours))
                return ("\(key)", "<Key>\(key)</Key><Size>7</Size><LastModified>\(time)</LastModified>")
            }
        )
        let heads = Dictionary(
            uniqueKeysWithValues: found.map { key, hours in
                (key.digest.hex, "Last-Modified: " + httpDate(time(hoursAgo: hours)))
            }
        )
        return try ScriptedServer { _, request in
            if request.line.hasPrefix("HEAD") {
                guard let head = heads.first(where: { request.line.contains($0.key) })?.value else {
                    return [.send("HTTP/1.1 404 -\r\n\r\n"), .close]
                }
                return [.send("HTTP/1.1 200 -\r\nContent-Length: 7\r\n\(head)\r\n\r\n")]
            }
            if request.line.hasPrefix("DELETE") { return [.send("HTTP/1.1 204 -\r\n\r\n")] }
            if request.line.contains("list-type") {
                let query = URLComponents(string: String(request.line.dropFirst("GET ".count)))?.queryItems
                let prefix = query?.first { $0.name == "prefix" }?.value ?? ""
                let found = entries.filter { $0.key.hasPrefix(prefix) }.map { "<Contents>\($0.value)</Contents>" }
                return [.answer(200, [], "<ListBucketResult>\(found.joined())</ListBucketResult>")]
            }
            return [.error(404, "NoSuchKey")]
        }
    }

    private func collect(_ server: ScriptedServer, _ options: String...) throws -> Tool.Answer {
        let settings = [
            "LPS_STORE": "s3://bucket?endpoint=http://127.0.0.1:\(server.port)", "TMPDIR": folder.path,
            "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
            // As on a host that has stores of both kinds.
            "LPS_GC_KEEP_TRASH": "3d",
        ]
        return try Tool(settings: settings).run(["gc"] + options)
    }

    private func deletions(_ server: ScriptedServer) -> String {
        server.lines.filter { $0.hasPrefix("DELETE") }.joined()
    }

    @Test func `A key is deleted a day after its age expires, because an age is renewed once a day`() throws {
        let (young, renewable, old) = (try key("young"), try key("renewable"), try key("old"))
        let ages = [young: 1.0, renewable: 71.0, old: 73.0]
        let server = try engine(ages, found: ages)
        let dry = try collect(server, "--older-than", "2d", "--dry-run", "--list")
        #expect(dry.status == 0 && dry.lines[0].hasSuffix("Z  \(old)"))
        #expect(dry.lines[1] == "would delete 1 keys (7 B)")
        #expect(deletions(server).isEmpty)
        let collected = try jsonLines(collect(server, "--older-than", "2d", "--json", "--list"))
        #expect(collected.count == 2 && collected[0]["key"] as? String == "\(old)")
        #expect(collected[1]["keys"] as? Int == 1 && collected[1]["logicalBytes"] as? Int == 7)
        #expect(collected[1]["freedBytes"] as? Int == 7)
        #expect(deletions(server).contains(old.digest.hex))
        #expect(!deletions(server).contains(young.digest.hex) && !deletions(server).contains(renewable.digest.hex))
    }

    @Test func `A key that was renewed or deleted after it was listed is skipped`() throws {
        let (renewed, gone, old) = (try key("renewed"), try key("gone"), try key("old"))
        let server = try engine([renewed: 99, gone: 99, old: 99], found: [renewed: 0.1, old: 99])
        #expect(try collect(server, "--older-than", "2d").output == "deleted 1 keys (7 B)\n")
        #expect(deletions(server).contains(old.digest.hex))
        #expect(!deletions(server).contains(renewed.digest.hex) && !deletions(server).contains(gone.digest.hex))
    }

    @Test func `A policy and a selection apply, and LPS_GC_KEEP_TRASH is ignored`() throws {
        let (old, kept) = (try key("old"), try key("kept", "kept"))
        let server = try engine([old: 99, kept: 99], found: [old: 99, kept: 99])
        try write("[kept]\nretention = 9000d\n[ns]\nretention = 2d\n".utf8, to: folder.file("policy"))
        #expect(try collect(server, "--older-than", "2d", "--namespace", "other").output == "deleted 0 keys (0 B)\n")
        #expect(try collect(server, "--older-than", "2d", "--prefix", "p").output == "deleted 0 keys (0 B)\n")
        #expect(try collect(server, "--policy", folder.file("policy")).output == "deleted 1 keys (7 B)\n")
        #expect(deletions(server).contains(old.digest.hex) && !deletions(server).contains(kept.digest.hex))
    }

    @Test func `Over half of the keys of a large namespace are not deleted`() throws {
        let ages = try Dictionary(uniqueKeysWithValues: (0..<1_001).map { (try key("\($0)"), 99.0) })
        let server = try engine(ages, found: ages)
        let refused = try collect(server, "--older-than", "2d")
        #expect(refused.status == 1 && refused.bytes.isEmpty)
        #expect(refused.errors.contains("1001 of the 1001 keys of namespace 'ns'"), "\(refused.errors)")
        #expect(deletions(server).isEmpty)
    }
}
