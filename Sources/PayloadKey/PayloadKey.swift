/// The key under which a payload is stored: `/blobs/<namespace>/common/<digest>/<metadata hash>`, or with a prefix
/// `/blobs/<namespace>/custom/<prefix>/<digest>/<metadata hash>`.
public struct PayloadKey: Hashable, Sendable {
    /// The Temporal namespace that the payload belongs to.
    public let namespace: Namespace
    /// The client's prefix; `nil` if it sent none.
    public let prefix: KeyPrefix?
    /// The digest of the payload's bytes.
    public let digest: Digest
    /// The hash of the payload's metadata, ``TemporalMetadata/hash``.
    public let metadataHash: Digest

    /// Makes a key from its validated parts.
    public init(namespace: Namespace, prefix: KeyPrefix?, digest: Digest, metadataHash: Digest) {
        self.namespace = namespace
        self.prefix = prefix
        self.digest = digest
        self.metadataHash = metadataHash
    }

    /// The key's bytes, as in requests and answers.
    public var utf8: [UInt8] {
        var bytes = Array("/blobs/".utf8) + namespace.utf8
        if let prefix {
            bytes += Array("/custom/".utf8) + prefix.utf8
        } else {
            bytes += Array("/common".utf8)
        }
        return bytes + Array("/\(digest)/\(metadataHash)".utf8)
    }

    /// Parses a key; `nil` if it is malformed.
    ///
    /// Keys are unambiguous: the last two parts are digest and hash, and a prefix can't contain a `:`.
    public init?(parsing text: some Collection<UInt8>) {
        let parts = text.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count >= 6, parts[0].isEmpty, parts[1].elementsEqual("blobs".utf8),
            let namespace = try? Namespace(validating: parts[2]),
            let digest = try? Digest(parsing: parts[parts.count - 2]),
            let metadataHash = try? Digest(parsing: parts[parts.count - 1])
        else { return nil }
        let between = parts[4..<(parts.count - 2)]
        if parts[3].elementsEqual("common".utf8), between.isEmpty {
            self.init(namespace: namespace, prefix: nil, digest: digest, metadataHash: metadataHash)
        } else if parts[3].elementsEqual("custom".utf8), !between.isEmpty,
            let prefix = KeyPrefix(validating: Array(between.joined(separator: [UInt8(ascii: "/")])))
        {
            self.init(namespace: namespace, prefix: prefix, digest: digest, metadataHash: metadataHash)
        } else {
            return nil
        }
    }
}

extension PayloadKey: CustomStringConvertible {
    /// The key as text, for messages and logs. Compare ``utf8``, not this.
    public var description: String { String(decoding: utf8, as: UTF8.self) }
}
