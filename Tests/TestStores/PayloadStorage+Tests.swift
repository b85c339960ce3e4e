import PayloadKey
import Storage

/// The key for a payload, whether or not it is stored.
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
    /// Receives a payload as a worker does when the web server buffers no file.
    package func receive(_ content: [UInt8]) throws -> VerifiedUpload {
        try uploads.receive(length: UInt64(content.count), digest: Digest(of: content)) { take in
            try content.withUnsafeBytes { try take($0) }
        }
    }

    /// Stores a payload as a worker does that reads the body itself.
    @discardableResult
    package func put(_ content: [UInt8], as key: PayloadKey) throws -> CommitOutcome {
        try commit(receive(content), as: key)
    }

    /// The payload of a key; `nil` if it is not stored.
    package func get(_ key: PayloadKey) throws -> [UInt8]? {
        guard let payload = try open(key) else { return nil }
        var bytes: [UInt8] = []
        try payload.read(0..<payload.size) { bytes += $0 }
        return bytes
    }

    package func keys(_ selection: KeySelection = KeySelection()) throws -> Set<PayloadKey> {
        var keys: Set<PayloadKey> = []
        try forEachKey(in: selection) { keys.insert($0.key) }
        return keys
    }
}
