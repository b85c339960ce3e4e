import DiskStore
import Foundation
import Logging
import PayloadKey
import Storage
import TestSupport
import Testing

/// A store without a service, on which `lps` runs, and is killed.
final class LocalStore {
    let folder: TemporaryFolder
    let path: String
    let store: DiskStore

    init() throws {
        folder = try TemporaryFolder()
        path = folder.file("store")
        try DiskStore.create(at: path)
        store = try DiskStore(path: path, reserve: 0, logger: RecordedLog().logger)
    }

    /// A store that is there already.
    init(at path: String) throws {
        folder = try TemporaryFolder()
        self.path = path
        store = try DiskStore(path: path, reserve: 0, logger: RecordedLog().logger)
    }

    /// Runs `lps` on the store.
    func lps(_ arguments: [String]) throws -> (status: Int32, output: String) {
        try run(Project.binary("lps"), [arguments[0], "--store", path] + arguments.dropFirst())
    }

    /// Starts `lps` on the store.
    ///
    /// - Parameters:
    ///   - wrapper: the beginning of a command that runs it.
    ///   - input: the file that it reads from standard input.
    func start(
        _ arguments: [String],
        by wrapper: [String] = [],
        environment: [String: String] = [:],
        input: String? = nil
    ) throws -> ChildProcess {
        let command = wrapper + [Project.binary("lps"), arguments[0], "--store", path] + arguments.dropFirst()
        let file = input.map { open($0, O_RDONLY | O_CLOEXEC) }
        defer { if let file { close(file) } }
        return try ChildProcess(
            command[0],
            Array(command.dropFirst()),
            environment: environment,
            standardInput: file,
            log: folder.file("lps-\(UUID().uuidString)")
        )
    }

    /// Stores a payload.
    @discardableResult
    func put(_ content: [UInt8], _ namespace: String, prefix: String? = nil) throws -> PayloadKey {
        let key = try Self.key(content, namespace, prefix: prefix)
        try put(content, key)
        return key
    }

    /// Stores a payload under its key.
    func put(_ content: [UInt8], _ key: PayloadKey) throws {
        let upload = try store.uploads.receive(length: UInt64(content.count), digest: key.digest) { take in
            try content.withUnsafeBytes { try take($0) }
        }
        _ = try store.commit(upload, as: key)
    }

    /// The key that a payload has, or would have.
    static func key(_ content: [UInt8], _ namespace: String, prefix: String? = nil) throws -> PayloadKey {
        PayloadKey(
            namespace: try Namespace(validating: namespace.utf8),
            prefix: prefix.flatMap { KeyPrefix(validating: $0.utf8) },
            digest: Digest(of: content),
            metadataHash: Digest(of: [])
        )
    }

    /// The file of a key.
    func file(of key: PayloadKey) throws -> String {
        "\(path)/" + (try #require(try store.find(key)).path)
    }

    /// The file of a content.
    func object(of digest: Digest) -> String { "\(path)/objects/\(digest.hex.prefix(2))/\(digest.hex)" }

    /// Makes a key as old as if it had been stored so many days ago.
    func makeOld(_ key: PayloadKey, days: Int) throws {
        var times = Array(repeating: timespec(tv_sec: time(nil) - days * 86_400, tv_nsec: 0), count: 2)
        #expect(try utimensat(AT_FDCWD, file(of: key), &times, 0) == 0)
    }

    /// What a key reads; `nil` when it is not stored.
    func get(_ key: PayloadKey) throws -> [UInt8]? {
        guard let payload = try store.open(key) else { return nil }
        var bytes: [UInt8] = []
        try payload.read(0..<payload.size) { bytes += Array($0) }
        return bytes
    }

    /// Every key that is stored.
    func keys() throws -> Set<PayloadKey> {
        var keys: Set<PayloadKey> = []
        try store.forEachKey { keys.insert($0.key) }
        return keys
    }

    /// Every content that is there. What a start that was killed has left, for the next sweep, is none.
    func objects() throws -> Set<Digest> {
        Set(
            files(below: "\(path)/objects").compactMap { file in
                file.split(separator: "/").last.flatMap { Digest(hex: $0.utf8) }
            }
        )
    }

    /// Makes sure that all that can be read is what was stored.
    func expectSound() throws {
        _ = try store.scrub { Issue.record("\($0)") }
    }

    /// Makes sure that nothing is left behind but what a sweep and a collection take.
    func expectOnlyLeftovers() throws {
        try store.inspect { #expect($0.kind == .unreferencedContent, "\($0)") }
        // A child of another test has this process's descriptors, and with them its locks, until it has become its program.
        try eventually("no child holds the collector's lock") {
            do {
                try store.collector().sweep()
                return true
            } catch let error as StoreError where error.code == .busy {
                return false
            }
        }
        let old = timeval(tv_sec: time(nil) - 25 * 60 * 60, tv_usec: 0)
        for name in files(below: "\(path)/incoming") { utimes("\(path)/incoming/\(name)", [old, old]) }
        try store.removeLeftovers()
        #expect(files(below: "\(path)/incoming").isEmpty)
        try store.inspect { Issue.record("\($0)") }
    }

    /// Puts other bytes in the place of a key's content, as a disk that fails does.
    func damage(_ key: PayloadKey) throws {
        let path = object(of: key.digest)
        chmod(path, 0o640)
        var bytes = try contents(of: path)
        bytes[bytes.count / 2] ^= 1
        let file = try #require(fopen(path, "r+"))
        defer { fclose(file) }
        #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
    }
}
