import PayloadKey

/// Where things are, relative to the store's root. `docs/on-disk-format.md` describes it for other readers.
enum StoreLayout {
    /// The format that this version reads and writes, as `layout.json` has it.
    static let version = 1
    static let description = "layout.json"
    /// Its name until it is on disk.
    static let newDescription = "layout.json.new"
    static let incoming = "incoming"
    static let objects = "objects"
    static let keys = "keys"
    static let quarantine = "quarantine"
    static let locks = "locks"
    /// When scrubs were completed.
    static let scrubRecord = "last-scrub.json"
    /// What was deleted and is kept for some time; made when it is first needed.
    static let trash = "trash"
    /// How much the namespaces use, where someone wants to know; made when it is first needed.
    static let usage = "usage"
    /// Where a namespace's keys without prefix are, and those with one.
    static let common = "common"
    static let custom = "custom"
    /// What ext4 has in the root of each file system.
    static let lostAndFound = "lost+found"
    /// How the names begin with which a start tries whether uploads can be linked.
    static let probePrefix = ".probe-"
    /// Those that every store has.
    static let folders = [incoming, objects, keys, quarantine, locks]
    /// Those that are made on demand.
    static let foldersOnDemand = [trash, usage]

    /// The two hex digits of every shard.
    static let shards = (0...255).map { Digest.shard(of: UInt8($0)) }

    private static let shardNames = Set(shards)

    /// Whether a start has made a file with this name, to try whether uploads can be linked: it has it for a moment, and
    /// what a crash left of it is the sweep's.
    static func isProbe(_ name: String) -> Bool { name.utf8.starts(with: probePrefix.utf8) }

    static func isShard(_ name: String) -> Bool { shardNames.contains(name) }

    static func objectFolder(_ digest: Digest) -> String {
        "\(objects)/\(digest.shard)"
    }

    /// Where a namespace's keys are.
    static func namespace(_ namespace: String) -> String {
        "\(keys)/\(namespace)"
    }

    /// - Parameter tree: `keys/`, or a folder of `trash/`, which is laid out alike.
    static func keyFolder(_ key: PayloadKey, in tree: String = keys) -> String {
        let prefix = key.prefix.map { [custom] + $0.folders } ?? [common]
        return path([tree, key.namespace.description] + prefix + [key.digest.shard])
    }

    static func keyName(_ key: PayloadKey) -> String {
        "\(key.digest.hex).\(key.metadataHash.hex)"
    }

    static func key(_ key: PayloadKey, in tree: String = keys) -> String {
        "\(keyFolder(key, in: tree))/\(keyName(key))"
    }

    /// Where the keys are that count as deleted at a time (seconds since 1970).
    static func trash(deletedAt seconds: Int) -> String {
        "\(trash)/\(seconds)"
    }

    /// When the keys in a folder of `trash/` count as deleted; `nil` when the folder is not the trash's. No time is so far
    /// off that sums of it could overflow.
    static func timeInTrash(_ name: String) -> Int? {
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        guard name.utf8.allSatisfy(digits.contains), let seconds = Int(name), seconds < 1 << 40, "\(seconds)" == name
        else { return nil }
        return seconds
    }

    /// The digest and the metadata hash that a key's file is named by; `nil` for any other file.
    static func keyName(parsing name: String) -> (digest: Digest, metadataHash: Digest)? {
        keyName(parsing: name.utf8)
    }

    private static func keyName(parsing name: some Collection<UInt8>) -> (digest: Digest, metadataHash: Digest)? {
        let parts = name.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 2, let digest = Digest(hex: parts[0]), let metadataHash = Digest(hex: parts[1]) else {
            return nil
        }
        return (digest, metadataHash)
    }

    static func object(_ digest: Digest) -> String {
        "\(objectFolder(digest))/\(digest.hex)"
    }

    /// What tells whether the counters can be trusted, see ``UsageEpoch``.
    static let usageEpoch = "\(usage)/epoch"
    /// `usage/` and what is in it.
    static let usageFolders = [usage, usageCounters, usageLocks]
    static let usageCounters = "\(usage)/namespaces"
    static let usageLocks = "\(usage)/counting"

    /// A namespace's ``UsageCounter``.
    static func usageCounter(_ namespace: String) -> String {
        "\(usageCounters)/\(namespace)"
    }

    /// What is locked while a namespace's keys are counted.
    static func usageLock(_ namespace: String) -> String {
        "\(usageLocks)/\(namespace)"
    }

    /// Something of `quarantine/` that belongs to a content.
    static func quarantined(_ digest: Digest, _ name: String) -> String {
        "\(quarantine)/\(digest.hex).\(name)"
    }

    static func path(_ parts: some Sequence<String>) -> String {
        parts.joined(separator: "/")
    }

    /// The names that a path leads through. By bytes: `/` and a combining character after it are one `Character`.
    static func names(in path: String) -> [String] {
        path.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }
    }

    /// The folders that lead to a path, from the upper one down, and the path itself.
    static func way(to path: String) -> [String] {
        let names = names(in: path)
        return names.indices.map { Self.path(names[...$0]) }
    }

    /// The key whose file has a path below `keys/`; `nil` when no key has it.
    static func key(at path: some Collection<UInt8>) -> PayloadKey? {
        let parts = path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count >= 5, parts[0].elementsEqual(keys.utf8),
            let namespace = try? Namespace(validating: parts[1]),
            let (digest, metadataHash) = keyName(parsing: parts[parts.count - 1]),
            parts[parts.count - 2].elementsEqual(digest.shard.utf8)
        else { return nil }
        let between = parts[3..<(parts.count - 2)]
        var prefix: KeyPrefix?
        if parts[2].elementsEqual(custom.utf8), !between.isEmpty, !between.contains(where: \.isEmpty) {
            prefix = KeyPrefix(validating: Array(between.joined(separator: [UInt8(ascii: "/")])))
            guard prefix != nil else { return nil }
        } else if !parts[2].elementsEqual(common.utf8) || !between.isEmpty {
            return nil
        }
        return PayloadKey(namespace: namespace, prefix: prefix, digest: digest, metadataHash: metadataHash)
    }

    static func lock(_ shard: String) -> String {
        "\(locks)/\(shard)"
    }
}

extension Digest {
    /// The first two hex digits, which name the folder and the lock of the digest's shard.
    var shard: String { Self.shard(of: bytes[0]) }

    fileprivate static func shard(of byte: UInt8) -> String {
        let hex = String(byte, radix: 16)
        return hex.count == 1 ? "0" + hex : hex
    }
}
