import Foundation
import PayloadKey
import S3
import StoreSupport
import TestSupport
import Testing

@testable import lps

/// A store of one kind or the other, `lps` with it, and what a test does to it behind its back.
struct ToolStore {
    enum Kind: String, CaseIterable, CustomTestStringConvertible {
        case disk, bucket

        /// All kinds, where an engine can be started.
        static let all = allCases.filter {
            $0 != .bucket || TestEngine.isNamed || ProcessInfo.processInfo.environment["LPS_WEED"] != nil
        }

        var testDescription: String { rawValue }
    }

    /// What `--store` takes.
    let place: String
    let tool: Tool
    let folder: TemporaryFolder
    /// Puts other bytes in the place of a payload's.
    let replace: (PayloadKey, [UInt8]) throws -> Void

    /// Makes an empty store.
    init(_ kind: Kind) throws {
        switch kind {
        case .disk: try self.init(TestStore(isInMemory: true))
        case .bucket: try self.init(bucket: "payloads", prefix: UUID().uuidString)
        }
    }

    private init(_ disk: TestStore) {
        (place, tool, folder) = (disk.path, disk.tool, disk.folder)
        replace = { try disk.replace($0, with: $1) }
    }

    /// A bucket of the shared engine; tests that share one have prefixes of their own.
    init(bucket: String, prefix: String = "") throws {
        let engine = try TestEngine.shared
        let url = engine.storeURL(bucket: bucket, prefix: prefix)
        let environment = engine.environment
        (place, folder) = (url, try TemporaryFolder())
        tool = Tool(settings: environment.merging(["LPS_STORE": url, "TMPDIR": folder.path]) { $1 })
        replace = { key, content in
            let location = try S3Location(parsing: url) { environment[$0] }
            let client = S3Client(location, environment: { environment[$0] }, logger: RecordedLog().logger)
            try client.replace(key, with: content, in: location)
        }
    }

    func lps(_ arguments: String...) throws -> Tool.Answer { try tool.run(arguments) }

    /// Stores a payload with `lps put`, and gives its key.
    func put(_ content: [UInt8], _ namespace: String = "ns", prefix: String? = nil) throws -> PayloadKey {
        try write(content, to: folder.file("content"))
        let metadata = prefix.map { TemporalMetadata([(Array("remote-codec/key-prefix".utf8), Array($0.utf8))]) }
        let header = Data((metadata?.json ?? "{}").utf8).base64EncodedString()
        let stored = try lps("put", folder.file("content"), "--namespace", namespace, "--metadata", header)
        try #require(stored.status == 0, "\(stored.errors)")
        return try #require(PayloadKey(parsing: stored.output.utf8.dropLast()))
    }

    /// What `lps get` gives; `nil` when that is nothing.
    func get(_ key: PayloadKey) throws -> [UInt8]? {
        let answer = try lps("get", "\(key)")
        return answer.status == 0 ? answer.bytes : nil
    }

    /// What `lps ls` lists.
    func keys(_ options: String...) throws -> Set<String> {
        let listed = try tool.run(["ls", "--json"] + options)
        try #require(listed.status == 0, "\(listed.errors)")
        let keys = try jsonLines(listed).compactMap { $0["key"] as? String }
        #expect(Set(keys).count == keys.count)
        return Set(keys)
    }

    /// Puts other bytes in the place of a payload's, as many.
    func damage(_ key: PayloadKey, _ content: [UInt8]) throws {
        var damaged = content
        damaged[damaged.count / 2] ^= 1
        try replace(key, damaged)
    }
}
