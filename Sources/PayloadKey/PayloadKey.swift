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
        let given = namespace.utf8.count + (prefix?.utf8.count ?? 0)
        var bytes: [UInt8] = []
        bytes.reserveCapacity("/blobs//custom///".utf8.count + given + 2 * Digest.textLength)
        bytes.append("/blobs/")
        bytes.append(contentsOf: namespace.utf8)
        if let prefix {
            bytes.append("/custom/")
            bytes.append(contentsOf: prefix.utf8)
        } else {
            bytes.append("/common")
        }
        bytes.append(Self.slash)
        digest.append(to: &bytes)
        bytes.append(Self.slash)
        metadataHash.append(to: &bytes)
        return bytes
    }

    private static let slash = UInt8(ascii: "/")

    /// Parses a key; `nil` if it is malformed.
    ///
    /// Keys are unambiguous: the last two parts are digest and hash, and a prefix can't contain a `:`.
    public init?(parsing text: some BidirectionalCollection<UInt8>) {
        guard text.starts(with: "/blobs/".utf8) else { return nil }
        var rest = text.dropFirst("/blobs/".utf8.count)
        guard let metadataHash = rest.popLastPart().flatMap({ try? Digest(parsing: $0) }),
            let digest = rest.popLastPart().flatMap({ try? Digest(parsing: $0) }),
            let slash = rest.firstIndex(of: Self.slash),
            let namespace = try? Namespace(validating: rest[..<slash])
        else { return nil }
        let kind = rest[slash...]
        if kind.equals("/common") {
            self.init(namespace: namespace, prefix: nil, digest: digest, metadataHash: metadataHash)
        } else if kind.starts(with: "/custom/".utf8),
            let prefix = KeyPrefix(validating: kind.dropFirst("/custom/".utf8.count))
        {
            self.init(namespace: namespace, prefix: prefix, digest: digest, metadataHash: metadataHash)
        } else {
            return nil
        }
    }
}

extension BidirectionalCollection<UInt8> where SubSequence == Self {
    /// Removes the last slash and what follows it, and returns that; `nil` if there is no slash.
    fileprivate mutating func popLastPart() -> Self? {
        guard let slash = lastIndex(of: UInt8(ascii: "/")) else { return nil }
        let part = self[index(after: slash)...]
        self = self[..<slash]
        return part
    }
}

extension PayloadKey: CustomStringConvertible {
    /// The key as text, for messages and logs. Compare ``utf8``, not this.
    public var description: String { String(decoding: utf8, as: UTF8.self) }
}
