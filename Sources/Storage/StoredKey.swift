import PayloadKey

/// A key in a store, with its age and size.
public struct StoredKey: Sendable {
    /// The key. Empty parts of its prefix are lost (`a//b` reads `a/b`); it still names the same payload.
    public let key: PayloadKey
    /// The payload's length in bytes; `nil` if its content is lost, for example in quarantine.
    public let size: UInt64?
    /// Bytes that the content uses on disk, once for all keys that share it.
    public let diskUsage: UInt64
    /// When the payload was last stored under this key, in seconds since 1970.
    public let lastStored: Int
    /// The key's file, relative to the store's root; in a bucket, the S3 object's key.
    public let path: String

    package init(_ key: PayloadKey, size: UInt64?, diskUsage: UInt64, lastStored: Int, path: String) {
        self.key = key
        self.size = size
        self.diskUsage = diskUsage
        self.lastStored = lastStored
        self.path = path
    }
}

/// A selection of keys by namespace and prefix.
public struct KeySelection: Sendable {
    /// The namespace of the keys; `nil` for all namespaces.
    public var namespace: Namespace?
    /// The first parts of the keys' prefixes; `nil` for all keys, with and without prefix.
    public var prefix: KeyPrefix?

    /// Selects all keys, or those of a namespace or prefix.
    public init(namespace: Namespace? = nil, prefix: KeyPrefix? = nil) {
        self.namespace = namespace
        self.prefix = prefix
    }

    /// Whether the selection includes a key.
    public func includes(_ key: PayloadKey) -> Bool {
        if let namespace, namespace != key.namespace { return false }
        guard let prefix else { return true }
        return key.prefix?.folders.starts(with: prefix.folders) ?? false
    }
}
