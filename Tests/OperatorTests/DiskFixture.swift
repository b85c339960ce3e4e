import DiskStore
import Foundation
import Logging
import PayloadKey
import Storage
import TestSupport
import Testing

/// A store on a disk in a temporary folder, whose keys are as old as a test says.
final class DiskFixture {
    let folder: TemporaryFolder
    let store: DiskStore
    /// `lps` with this store.
    let tool: Tool

    /// - Parameter quota: as of the workers.
    init(quota: @escaping @Sendable (Namespace) -> UInt64? = { _ in nil }) throws {
        folder = try TemporaryFolder(isInMemory: true)
        let path = folder.file("store")
        try DiskStore.create(at: path)
        store = try DiskStore(
            path: path,
            reserve: 0,
            quota: quota,
            patience: DiskStore.commandPatience,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        tool = Tool(settings: ["LPS_STORE": path])
    }

    // MARK: The tool

    /// Runs `lps` on the store.
    func lps(_ arguments: [String], settings: [String: String] = [:], input: [UInt8] = []) throws -> Tool.Answer {
        // The lock of a collection before is held as long as a child that another test started meanwhile has not executed
        // its program.
        try eventually("nobody else collects") { (try? store.collector()) != nil }
        return try tool.run(arguments, settings: settings, input: input)
    }

    /// Runs `lps` on the store.
    func lps(_ arguments: String...) throws -> Tool.Answer { try lps(arguments) }

    /// Writes a policy's file, and gives its path.
    func policy(_ text: String) throws -> String {
        let path = folder.file("policy-\(UUID().uuidString)")
        try write(text.utf8, to: path)
        return path
    }

    // MARK: Keys

    func key(_ content: [UInt8], _ namespace: String = "ns", prefix: String? = nil, metadata: String = "") throws
        -> PayloadKey
    {
        PayloadKey(
            namespace: try Namespace(validating: namespace.utf8),
            prefix: prefix.flatMap { KeyPrefix(validating: $0.utf8) },
            digest: Digest(of: content),
            metadataHash: Digest(of: metadata.utf8)
        )
    }

    /// Stores a payload so many days ago.
    @discardableResult
    func put(
        _ content: [UInt8],
        _ namespace: String = "ns",
        prefix: String? = nil,
        metadata: String = "",
        days: Double = 0
    ) throws -> PayloadKey {
        let key = try key(content, namespace, prefix: prefix, metadata: metadata)
        let upload = try store.uploads.receive(length: UInt64(content.count), digest: key.digest) { take in
            try content.withUnsafeBytes { try take($0) }
        }
        _ = try store.commit(upload, as: key)
        try age(key, days: days)
        return key
    }

    func age(_ key: PayloadKey, days: Double) throws {
        try setAge(try #require(try store.find(key)).path, days: days)
    }

    private func setAge(_ path: String, days: Double) throws {
        try FileManager.default.setAttributes(
            [.modificationDate: Date().addingTimeInterval(-days * 86_400)],
            ofItemAtPath: "\(store.path)/\(path)"
        )
    }

    /// Lets the last time that a worker has recorded be so many days ago.
    func setRecordedTime(days: Double) throws { try setAge("clock", days: days) }

    /// Moves a key to the trash, so many days ago.
    func moveToTrash(_ key: PayloadKey, days: Double) throws {
        let now = Int(Date().timeIntervalSince1970)
        #expect(try store.moveToTrash(key, now: now - Int(days * 86_400)))
    }

    /// The file of a key's content.
    func object(of key: PayloadKey) -> String {
        "\(store.path)/objects/\(key.digest.hex.prefix(2))/\(key.digest.hex)"
    }

    /// Puts other bytes in the place of a key's content, as a disk that fails does.
    func damage(_ key: PayloadKey) throws {
        let path = object(of: key)
        chmod(path, 0o640)
        var bytes = try contents(of: path)
        bytes[bytes.count / 2] ^= 1
        try write(bytes, to: path)
        chmod(path, 0o440)
    }

    /// What a key reads; `nil` when it is not stored.
    func get(_ key: PayloadKey) throws -> [UInt8]? {
        guard let payload = try store.open(key) else { return nil }
        var bytes: [UInt8] = []
        try payload.read(0..<payload.size) { bytes += $0 }
        return bytes
    }

    /// Adds keys to a namespace, as many as it takes for it to have `count`: they are empty files, next to the first one.
    ///
    /// - Parameter days: how old they are.
    func fill(with count: Int, like key: PayloadKey, days: Double) throws {
        let path = try #require(try store.find(key)).path
        let folder = (path as NSString).deletingLastPathComponent
        for index in 1..<max(count, 1) {
            let name = "\(folder)/\(key.digest.hex).\(Digest(of: Array("\(index)".utf8)).hex)"
            let file = open("\(store.path)/\(name)", O_WRONLY | O_CREAT | O_EXCL, 0o440)
            try #require(file >= 0)
            close(file)
            try setAge(name, days: days)
        }
    }

    /// The keys that are there.
    func keys() throws -> Set<PayloadKey> {
        var keys: Set<PayloadKey> = []
        try store.forEachKey { keys.insert($0.key) }
        return keys
    }

    /// How many keys are in the trash: one may be there several times, of several hours.
    func trashCount() throws -> Int {
        var count = 0
        try store.forEachTrashedKey { _ in count += 1 }
        return count
    }

    /// The keys in the trash.
    func trashed() throws -> Set<PayloadKey> {
        var keys: Set<PayloadKey> = []
        try store.forEachTrashedKey { keys.insert($0.stored.key) }
        return keys
    }
}
