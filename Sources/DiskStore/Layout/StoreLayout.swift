import PayloadKey

/// Where things are, relative to the store's root. `docs/on-disk-format.md` describes it for other implementations.
enum StoreLayout {
    static let description = "layout.json"
    /// Its name until it is on disk.
    static let newDescription = "layout.json.new"
    static let incoming = "incoming"
    static let objects = "objects"
    static let keys = "keys"
    static let quarantine = "quarantine"
    static let locks = "locks"
    /// An empty file whose mtime is the newest time that the store has seen, see ``StoreClock``.
    static let clock = "clock"
    /// When scrubs were completed.
    static let scrubRecord = "last-scrub.json"
    /// Deleted keys that can still be restored.
    static let trash = "trash"
    /// How much the namespaces use, where there are quotas.
    static let usage = "usage"
    /// What is stored during a sweep, see ``Barrier``.
    static let barriers = "barriers"
    /// Where a namespace's keys are, without prefix and with one.
    static let common = "common"
    static let custom = "custom"
    /// What ext4 has in the root of each file system.
    static let lostAndFound = "lost+found"
    /// How the names begin with which a start checks what the file system can do.
    static let probePrefix = ".probe-"
    /// The folders that every store has.
    static let folders = [incoming, objects, keys, quarantine, locks, barriers]
    /// Those of them that have ``lockFiles``.
    static let lockFolders = [locks, barriers]
    /// The folders that are made when they are first needed.
    static let foldersOnDemand = [trash, usage]
    /// The files beside the folders; a store may lack all but the first one.
    static let files = [description, clock, scrubRecord]
    /// The folders whose names are few, the root among them.
    static let upperFolders = [".", objects, locks, barriers, incoming, keys]

    // MARK: Shards

    /// The two hex digits of every shard.
    static let shards = (0...255).map { shard(UInt8($0)) }

    /// The name of a shard's folder below `objects/`, and of its lock.
    static func shard(_ byte: UInt8) -> String {
        let hex = String(byte, radix: 16)
        return hex.count == 1 ? "0" + hex : hex
    }

    /// The number of a shard; `nil` when the name is none.
    static func shard(parsing name: some StringProtocol) -> UInt8? {
        guard name.utf8.count == 2, let byte = UInt8(name, radix: 16), shard(byte) == name else { return nil }
        return byte
    }

    static func isShard(_ name: String) -> Bool { shard(parsing: name) != nil }

    static func lock(_ shard: UInt8) -> String { "\(locks)/\(self.shard(shard))" }

    /// What a collector holds locked.
    static let collectorLock = "\(locks)/gc"

    /// The files that every store has to be locked.
    static var lockFiles: [String] {
        lockFolders.flatMap { folder in shards.map { "\(folder)/\($0)" } } + [collectorLock]
    }

    static func barrier(_ shard: UInt8) -> String { "\(barriers)/\(self.shard(shard))" }

    /// Whether a start has made a file with this name, to check that uploads can be linked: it has the name for a moment,
    /// and what a crash leaves is removed by a later start.
    static func isProbe(_ name: String) -> Bool { name.utf8.starts(with: probePrefix.utf8) }

    /// As ``isProbe(_:)``, in `keys/`: whether a start has made it to check what becomes of names. A namespace's name may
    /// begin like it, but is shorter.
    static func isNameProbe(_ name: String) -> Bool { isProbe(name) && (try? Namespace(validating: name.utf8)) == nil }

    // MARK: Content

    static func objectFolder(_ shard: UInt8) -> String { "\(objects)/\(self.shard(shard))" }

    static func object(_ digest: Digest) -> String { "\(objectFolder(digest.firstByte))/\(digest.hex)" }

    /// Damaged content; `id` tells several copies apart.
    static func quarantined(_ digest: Digest, _ id: String) -> String { "\(quarantine)/\(digest.hex).\(id)" }

    // MARK: Keys

    /// The folder of a namespace's keys.
    static func namespace(_ namespace: String) -> String { "\(keys)/\(namespace)" }

    /// The name of the folder of a prefix that holds the keys of a shard. No part of a prefix can have it.
    static func prefixShard(_ shard: UInt8) -> String { "@" + self.shard(shard) }

    /// The shard of such a folder; `nil` when it is none.
    static func prefixShard(parsing name: String) -> UInt8? {
        name.utf8.first == UInt8(ascii: "@") ? shard(parsing: name.dropFirst()) : nil
    }

    /// - Parameter tree: `keys/`, or a folder of `trash/`, which is laid out alike.
    static func keyFolder(_ key: PayloadKey, in tree: String = keys) -> String {
        let shard = key.digest.firstByte
        guard let prefix = key.prefix else { return "\(tree)/\(key.namespace)/\(common)/\(self.shard(shard))" }
        return path([tree, "\(key.namespace)", custom] + prefix.folders + [prefixShard(shard)])
    }

    static func keyName(_ key: PayloadKey) -> String { "\(key.digest.hex).\(key.metadataHash.hex)" }

    static func key(_ key: PayloadKey, in tree: String = keys) -> String {
        "\(keyFolder(key, in: tree))/\(keyName(key))"
    }

    /// The digest and the metadata hash that a key's file is named by; `nil` for any other name.
    static func keyName(parsing name: some Collection<UInt8>) -> (digest: Digest, metadataHash: Digest)? {
        let parts = name.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 2, let digest = Digest(hex: parts[0]), let metadataHash = Digest(hex: parts[1]) else {
            return nil
        }
        return (digest, metadataHash)
    }

    // MARK: Trash

    /// Where the keys are that count as deleted at a time (seconds since 1970).
    static func trash(deletedAt seconds: Int) -> String { "\(trash)/\(seconds)" }

    /// When the keys in a folder of `trash/` count as deleted; `nil` when the folder is not the trash's. No time is so far
    /// off that sums of it could overflow.
    static func timeInTrash(_ name: String) -> Int? {
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        guard name.utf8.allSatisfy(digits.contains), let seconds = Int(name), seconds < 1 << 40, "\(seconds)" == name
        else { return nil }
        return seconds
    }

    // MARK: Quotas

    /// What decides whether the counters can be trusted, see ``DiskStore/epochName()``.
    static let usageEpoch = "\(usage)/epoch"
    static let usageCounters = "\(usage)/namespaces"
    static let usageLocks = "\(usage)/counting"
    static let lostContents = "\(usage)/lost"
    /// `usage/` and the folders in it.
    static let usageFolders = [usage, usageCounters, usageLocks, lostContents]

    /// A namespace's ``UsageCounter``.
    static func usageCounter(_ namespace: String) -> String { "\(usageCounters)/\(namespace)" }

    /// What is locked while a namespace's keys are counted.
    static func usageLock(_ namespace: String) -> String { "\(usageLocks)/\(namespace)" }

    /// What marks a content as moved to quarantine while keys may name it.
    static func lostContent(_ digest: Digest) -> String { "\(lostContents)/\(digest.hex)" }

    // MARK: Paths

    static func path(_ parts: some Sequence<String>) -> String { parts.joined(separator: "/") }

    /// The path of what is in a folder, which may be `.`, the root.
    static func path(of name: String, in folder: String) -> String { folder == "." ? name : "\(folder)/\(name)" }

    /// The folder that a path is in, and its name there. By bytes: `/` and a combining character after it are one
    /// `Character`.
    static func parent(of path: String) -> (folder: String?, name: String) {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return (nil, path) }
        return (String(path[..<slash]), String(path[path.utf8.index(after: slash)...]))
    }
}
