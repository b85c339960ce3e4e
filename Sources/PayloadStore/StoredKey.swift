import PayloadKey

/// A key as it lies in the tree.
public struct StoredKey: Sendable {
    /// The key. Of a prefix the empty parts are lost (`a//b` reads `a/b`); the key names the same payload.
    public let key: PayloadKey
    /// The payload's length in bytes.
    public let size: UInt64
    /// Bytes that the content takes on the disk, once for all keys that share it.
    public let diskUsage: UInt64
    /// How many keys share the content, this one and those in the trash included; one more while an upload's own file is still in `incoming/`.
    public let sharers: UInt64
    /// When this key, or another one of the same content, was last stored, in seconds since 1970.
    public let lastStored: Int
    /// The file's path relative to the store's root; in a bucket, the object's key.
    public let path: String
    /// Which file it is; `nil` in a bucket.
    let identity: FileStatus.Identity?

    init(_ key: PayloadKey, _ path: String, _ status: FileStatus) {
        self.key = key
        self.path = path
        identity = status.identity
        size = status.size
        diskUsage = status.diskUsage
        // One link is the object's. Its name may be lost (docs/on-disk-format.md).
        sharers = max(1, status.links - 1)
        lastStored = status.modified
    }

    /// A key of a bucket, where each has an object of its own.
    package init(_ key: PayloadKey, size: UInt64, lastStored: Int, object: String) {
        self.key = key
        self.size = size
        self.lastStored = lastStored
        path = object
        diskUsage = size
        sharers = 1
        identity = nil
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
    package func includes(_ key: PayloadKey) -> Bool {
        if let namespace, namespace != key.namespace { return false }
        guard let prefix else { return true }
        return key.prefix?.folders.starts(with: prefix.folders) ?? false
    }
}
