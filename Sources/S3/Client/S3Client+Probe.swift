import Crypto
import Encoding

extension S3Client {
    /// The probe's keys, after the location's prefix. They begin with a slash, as payloads' keys do, but never with
    /// `/blobs/`, so they are never a payload's.
    static let probePath = "/probe/object"
    static let absentPath = "/probe/absent"
    /// Constant, so that processes that start at the same time do not disturb each other.
    private static let probeContent = Array("Large Payload Service: what this engine can do\n".utf8)
    private static let probeDigest = Array(SHA256.hash(data: probeContent))

    /// Finds out the engine's capabilities: stores the probe object in the same way as an upload, reads and renews it,
    /// and sends the requests whose answers differ between engines.
    ///
    /// The object remains, since workers need no right to delete. The tried deletion is of an object that does not
    /// exist. Capabilities that can't be determined keep their defaults, which match AWS.
    ///
    /// - Throws: ``S3Error`` if uploads or downloads would fail as well.
    public func probe() throws {
        let key = location.objectKey(of: Array(Self.probePath.utf8))
        do {
            _ = try putProbe(key, onlyIfAbsent: false)
        } catch let error as S3Error {
            throw explained(error)
        }
        let isKept = try putProbe(key, onlyIfAbsent: true) == .existed
        learn { $0.condition = isKept ? .honoured : $0.condition == .refused ? .refused : .ignored }
        learn { $0.verified = [] }
        let checksums: [EngineCapabilities.Checksum] = engine.takesChecksum ? [.sha256, .signed] : [.signed]
        for checksum in checksums where refusesWrong(checksum, key) { learn { $0.verified.append(checksum) } }
        if engine.verified.isEmpty, refusesWrong(.md5, key) { learn { $0.verified = [.md5] } }
        try checkProbe(key)
        do {
            _ = try renew(key)
        } catch let error as S3Error {
            if !error.mayPass { learn { $0.copies = false } }
        }
        let isDeleted = (try? delete(location.objectKey(of: Array(Self.absentPath.utf8)))) != nil
        learn { $0.deletes = isDeleted }
    }

    private func putProbe(_ key: [UInt8], onlyIfAbsent: Bool) throws -> PutOutcome {
        try put(key, .bytes(Self.probeContent), digest: Self.probeDigest, onlyIfAbsent: onlyIfAbsent)
    }

    /// Adds to an error the likely reason why the engine refused an upload after it allowed a listing.
    private func explained(_ error: S3Error) -> S3Error {
        let asked = location.newObject.map { "\($0.name): \($0.value)" }.joined(separator: ", ")
        switch error.code {
        case .refused where !asked.isEmpty:
            return S3Error(error.code, "\(error.description) (requested \(asked))")
        // The path then has two slashes in a row, which some engines and proxies merge.
        case .credentials where !error.mayPass && location.prefix.isEmpty:
            let hint = " (a listing succeeded; the key begins with '/', which a PREFIX in the store's URL avoids)"
            return S3Error(error.code, error.description + hint)
        default: return error
        }
    }

    /// Whether the engine refuses the probe's content with a wrong checksum. An engine that accepts it stores the same
    /// content again.
    private func refusesWrong(_ checksum: EngineCapabilities.Checksum, _ key: [UInt8]) -> Bool {
        let wrong = Array(SHA256.hash(data: [] as [UInt8]))
        var request = upload(key, .bytes(Self.probeContent), digest: Self.probeDigest)
        switch checksum {
        case .sha256: request.headers.append((checksum.rawValue, StandardBase64.encode(wrong)))
        case .signed: request.payloadHash = hexDigits(wrong)
        case .md5: request.headers.append((checksum.rawValue, StandardBase64.encode(wrong.prefix(16))))
        }
        guard let answer = try? send(request) else { return false }
        return (400...499).contains(answer.status) && !Self.busyStatuses.contains(answer.status)
    }

    private func checkProbe(_ key: [UInt8]) throws {
        let size = UInt64(Self.probeContent.count)
        // Some engines take a moment to make an object visible on all nodes.
        guard let found = try status(of: key) else {
            throw failure(.unavailable, "probe", "a stored object is missing", mayPass: true)
        }
        guard found.size == size else {
            throw failure(.badDigest, "probe", "an object of \(size) bytes is reported with \(found.size)")
        }
        let range = UInt64(6)..<13
        var read: [UInt8] = []
        try self.read(key, range) { read += $0 }
        guard read == Array(Self.probeContent[6..<13]) else {
            throw failure(.badDigest, "probe", "a range of an object differs from the stored bytes")
        }
    }
}
