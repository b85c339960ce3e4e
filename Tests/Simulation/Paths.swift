import PayloadKey

/// The paths of docs/on-disk-format.md.
enum Paths {
    static func object(_ digest: Digest) -> String { "/store/objects/\(digest.hex.prefix(2))/\(digest.hex)" }

    static func key(_ key: PayloadKey) -> String { path(key, in: "keys") }

    static func trash(_ key: PayloadKey, _ hour: Int) -> String { path(key, in: "trash/\(hour)") }

    static func folder(of path: String) -> String { String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) }

    private static func path(_ key: PayloadKey, in tree: String) -> String {
        let name = "\(key.digest.hex).\(key.metadataHash.hex)"
        let shard = key.digest.hex.prefix(2)
        let namespace = "/store/\(tree)/\(key.namespace)"
        guard let prefix = key.prefix else { return "\(namespace)/common/\(shard)/\(name)" }
        return "\(namespace)/custom/\(prefix)/@\(shard)/\(name)"
    }
}
