import Foundation
import TestSupport
import Testing

@testable import S3

/// Tests that a second engine understands the requests. It checks neither signatures nor checksums.
@Suite(.runLimit) struct MotoTests {
    @Test func `Objects are stored, read, renewed, listed and deleted in moto`() throws {
        let binary = try #require(
            ProcessInfo.processInfo.environment["LPS_MOTO"],
            "LPS_MOTO names moto_server; 'make test' installs it"
        )
        let folder = try TemporaryFolder()
        let port = try freePort()
        let moto = try ChildProcess(binary, ["-H", "127.0.0.1", "-p", "\(port)"], log: folder.file("log"))
        try eventually("moto makes a bucket: \(moto.log)", within: 300) {
            guard moto.isRunning else { throw NeverHappened(what: "moto: \(moto.log)") }
            return try run("curl", ["-sf", "-X", "PUT", "http://127.0.0.1:\(port)/payloads"]).status == 0
        }
        func client(_ bucket: String) throws -> S3Client {
            let url = "s3://\(bucket)?endpoint=http://127.0.0.1:\(port)&path-style=true"
            return try S3Tests.client(url, limits: .with { $0.pageSize = 2 })
        }
        let payloads = try client("payloads")
        try payloads.checkBucket(retrying: false)
        let names = ["/blobs/a:b+c d%é", "/blobs/b", "/blobs/c"].map(key)
        let payload = randomPayload(2_000_000)
        for name in names { #expect(try payloads.put(name, payload) == .stored) }
        #expect(try payloads.put(names[0], payload) == .existed)
        #expect(try payloads.status(of: names[0])?.size == 2_000_000)
        #expect(try payloads.contents(of: names[0], 7..<1_500_000) == Array(payload[7..<1_500_000]))
        #expect(try payloads.renew(names[0]))
        // Keys keep their leading slash, as on AWS.
        #expect(try payloads.keys(prefix: key("/blobs/")) == names)
        for name in names.dropFirst() { try payloads.delete(name) }
        #expect(try payloads.status(of: names[1]) == nil)
        #expect(try payloads.renew(names[1]) == false)
        let other = try client("never-made")
        #expect(try failure { _ = try other.status(of: names[0]) }.code == .noSuchBucket)
        #expect(try failure { try other.put(names[0], payload) }.code == .noSuchBucket)
    }
}
