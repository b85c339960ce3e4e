import Foundation
import PayloadKey
import TestStores
import TestSupport
import Testing

/// A store of either kind, with `lps` and the changes that a test makes to it directly.
struct ToolStore {
    /// The kinds that can be tested here: a bucket needs an installed engine.
    static let kinds = StoreKind.all.filter { $0 != .memory }

    /// The value of `--store`.
    let place: String
    let tool: Tool
    let folder: TemporaryFolder
    let replace: (PayloadKey, [UInt8]) throws -> Void

    init(_ kind: StoreKind) throws {
        switch kind {
        case .s3: try self.init(TestBucket())
        default: try self.init(TestStore(isInMemory: true))
        }
    }

    private init(_ disk: TestStore) {
        (place, tool, folder) = (disk.path, disk.tool, disk.folder)
        replace = { try disk.replace($0, with: $1) }
    }

    init(_ bucket: TestBucket) {
        (place, folder) = (bucket.url, bucket.folder)
        tool = Tool(settings: bucket.environment.merging(["LPS_STORE": bucket.url, "TMPDIR": folder.path]) { $1 })
        replace = { try bucket.replace($0, with: $1) }
    }

    func lps(_ arguments: String...) throws -> Tool.Answer { try tool.run(arguments) }

    /// Stores a payload with `lps put` and returns its key.
    func put(_ content: [UInt8], _ namespace: String = "ns", prefix: String? = nil) throws -> PayloadKey {
        try write(content, to: folder.file("content"))
        let metadata = prefix.map { TemporalMetadata([(Array("remote-codec/key-prefix".utf8), Array($0.utf8))]) }
        let header = Data((metadata?.json ?? "{}").utf8).base64EncodedString()
        let stored = try lps("put", folder.file("content"), "--namespace", namespace, "--metadata", header)
        try #require(stored.status == 0, "\(stored.errors)")
        return try #require(PayloadKey(parsing: stored.output.utf8.dropLast()))
    }

    /// The output of `lps get`; `nil` if it is empty.
    func get(_ key: PayloadKey) throws -> [UInt8]? {
        let answer = try lps("get", "\(key)")
        return answer.status == 0 ? answer.bytes : nil
    }

    /// The keys that `lps ls` lists.
    func keys(_ options: String...) throws -> Set<String> {
        let listed = try tool.run(["ls", "--json"] + options)
        try #require(listed.status == 0, "\(listed.errors)")
        let keys = try jsonLines(listed).compactMap { $0["key"] as? String }
        #expect(Set(keys).count == keys.count)
        return Set(keys)
    }

    /// Replaces a payload's bytes with as many others.
    func damage(_ key: PayloadKey, _ content: [UInt8]) throws {
        var damaged = content
        damaged[damaged.count / 2] ^= 1
        try replace(key, damaged)
    }
}
