import PayloadKey

/// A key that a store has.
public struct StoredKey: Sendable {
    /// The key. Of a prefix the empty parts are lost (`a//b` reads `a/b`); the key names the same payload.
    public let key: PayloadKey
    /// The payload's length in bytes; `nil` when its content is lost: moved to quarantine, say.
    public let size: UInt64?
    /// Bytes that the content takes on the disk, once for all keys that share it.
    public let diskUsage: UInt64
    /// When the payload was last stored under this key, in seconds since 1970.
    public let lastStored: Int
    /// The key's file, relative to the store's root; in a bucket, the object's key.
    public let path: String

    package init(_ key: PayloadKey, size: UInt64?, diskUsage: UInt64, lastStored: Int, path: String) {
        self.key = key
        self.size = size
        self.diskUsage = diskUsage
        self.lastStored = lastStored
        self.path = path
    }
}

/// Which keys are meant.
public struct KeySelection: Sendable {
    /// `nil`: those of all namespaces.
    public var namespace: Namespace?
    /// Those whose prefix begins with these parts; `nil`: those of all prefixes, and those without one.
    public var prefix: KeyPrefix?

    /// Selects all keys, or fewer.
    public init(namespace: Namespace? = nil, prefix: KeyPrefix? = nil) {
        self.namespace = namespace
        self.prefix = prefix
    }

    /// Whether a key is one of them.
    public func includes(_ key: PayloadKey) -> Bool {
        if let namespace, namespace != key.namespace { return false }
        guard let prefix else { return true }
        return key.prefix?.folders.starts(with: prefix.folders) ?? false
    }
}
