import DiskStore
import Foundation
import Logging
import PayloadKey
import Storage
import TestSupport
import Testing

/// A store of some kind, and direct changes to its data.
package struct StoreUnderTest {
    package let storage: any PayloadStorage
    package let replace: (PayloadKey, [UInt8]) throws -> Void
    /// Makes a key `seconds` older; `nil` if the kind of store does not allow it.
    package let makeOld: ((PayloadKey, _ seconds: Int) throws -> Void)?
    /// Fetches what a web server sends for a redirect, given by the path below the internal location and the headers.
    package let fetch: (_ path: String, _ headers: [String: String]) throws -> [UInt8]
    /// Opens the same store as another process does.
    package let another: () throws -> any PayloadStorage

    /// All keys, and on disk all objects: a fingerprint that changes when anything is stored or deleted.
    package func contents() throws -> [String] {
        var contents: [String] = []
        try storage.forEachKey { contents.append("\($0.key)") }
        if let disk = storage as? DiskStore { contents += files(below: "\(disk.name)/objects") }
        return contents.sorted()
    }
}

/// The implementations of ``PayloadStorage``.
package enum StoreKind: String, CaseIterable, CustomTestStringConvertible {
    case memory, disk, s3

    /// All kinds; `s3` only if an engine is installed.
    package static let all = allCases.filter { $0 != .s3 || SeaweedFS.isInstalled }

    package var testDescription: String { rawValue }

    /// Creates an empty store with its files in a folder.
    ///
    /// - Parameters:
    ///   - reserve: the free space in bytes that uploads leave untouched.
    ///   - quota: the quota in bytes of a namespace; only a disk store has quotas.
    package func make(
        in folder: TemporaryFolder,
        reserve: UInt64 = 0,
        quota: @escaping @Sendable (Namespace) -> UInt64? = { _ in nil },
        logger: Logger = RecordedLog().logger
    ) throws -> StoreUnderTest {
        switch self {
        case .memory:
            let store = MemoryStore(
                uploads: try UploadFolder(path: folder.path, reserve: reserve, setting: "--incoming", logger: logger)
            )
            return StoreUnderTest(
                storage: store,
                replace: { store.replace($0, with: $1) },
                makeOld: { store.makeOld($0, seconds: $1) },
                fetch: { path, _ in throw NeverHappened(what: "a web server that sends \(path)") },
                another: { store }
            )
        case .disk:
            let path = folder.file("store")
            try DiskStore.create(at: path)
            let open = { try DiskStore(path: path, reserve: reserve, quota: quota, logger: logger) }
            let store = try open()
            return StoreUnderTest(
                storage: store,
                replace: { key, content in
                    let file = "\(path)/objects/\(key.digest.hex.prefix(2))/\(key.digest.hex)"
                    chmod(file, 0o640)
                    try write(content, to: file)
                },
                makeOld: { key, seconds in
                    let file = "\(path)/" + (try #require(try store.find(key)).path)
                    var times = Array(repeating: timespec(tv_sec: time(nil) - seconds, tv_nsec: 0), count: 2)
                    #expect(utimensat(AT_FDCWD, file, &times, 0) == 0)
                },
                fetch: { file, _ in try TestSupport.contents(of: "\(path)/\(file)") },
                another: open
            )
        case .s3:
            let bucket = try TestBucket()
            let start = { try bucket.open(incoming: folder.path, reserve: reserve, logger: logger) }
            return StoreUnderTest(
                storage: try start(),
                replace: { try bucket.replace($0, with: $1) },
                makeOld: nil,
                fetch: { _, headers in try TestEngine.shared.fetch(signed: headers) },
                another: start
            )
        }
    }
}

extension S3Engine {
    /// Sends a request as nginx does, with the headers that the store signed.
    fileprivate func fetch(signed headers: [String: String]) throws -> [UInt8] {
        let prefix = "X-LPS-S3-"
        var fields = headers.filter { $0.key.hasPrefix(prefix) }.map { ($0.key.dropFirst(prefix.count), $0.value) }
        let target = try #require(headers["\(prefix)Target"])
        fields.removeAll { $0.0 == "Target" }
        let head = ["GET \(target) HTTP/1.1"] + fields.map { "\($0): \($1)" }
        let connection = try HTTPConnection(port: #require(host.split(separator: ":").last.flatMap { UInt16($0) }))
        try connection.send(Array((head.joined(separator: "\r\n") + "\r\n\r\n").utf8))
        let answer = try connection.receive()
        try #require(answer.status == 200, "\(answer.text)")
        return answer.body
    }
}
