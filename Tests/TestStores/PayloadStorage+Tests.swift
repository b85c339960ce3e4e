import PayloadKey
import Storage

/// The key that a payload has, or would have.
package func payloadKey(_ content: [UInt8], _ namespace: String = "ns", prefix: String? = nil, metadata: String = "")
    throws -> PayloadKey
{
    PayloadKey(
        namespace: try Namespace(validating: namespace.utf8),
        prefix: prefix.flatMap { KeyPrefix(validating: $0.utf8) },
        digest: Digest(of: content),
        metadataHash: Digest(of: metadata.utf8)
    )
}

extension PayloadStorage {
    /// Takes a payload in as a worker does without a web server's file.
    package func receive(_ content: [UInt8]) throws -> VerifiedUpload {
        try uploads.receive(length: UInt64(content.count), digest: Digest(of: content)) { take in
            try content.withUnsafeBytes { try take($0) }
        }
    }

    /// Stores a payload as a worker does that takes its body in itself.
    @discardableResult
    package func put(_ content: [UInt8], as key: PayloadKey) throws -> CommitOutcome {
        try commit(receive(content), as: key)
    }

    /// What a key reads; `nil` when it is not stored.
    package func get(_ key: PayloadKey) throws -> [UInt8]? {
        guard let payload = try open(key) else { return nil }
        var bytes: [UInt8] = []
        try payload.read(0..<payload.size) { bytes += $0 }
        return bytes
    }

    /// The keys that are there.
    package func keys(_ selection: KeySelection = KeySelection()) throws -> Set<PayloadKey> {
        var keys: Set<PayloadKey> = []
        try forEachKey(in: selection) { keys.insert($0.key) }
        return keys
    }
}
