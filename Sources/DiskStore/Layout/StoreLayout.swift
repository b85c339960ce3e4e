import Encoding
import PayloadKey

/// Paths in a store, relative to its root. `docs/on-disk-format.md` describes the layout for other implementations.
enum StoreLayout {
    static let description = "layout.json"
    /// The name of `layout.json` until it is on disk.
    static let newDescription = "layout.json.new"
    static let incoming = "incoming"
    static let objects = "objects"
    static let keys = "keys"
    static let quarantine = "quarantine"
    static let locks = "locks"
    /// An empty file whose mtime is the newest time seen by the store, see ``StoreClock``.
    static let clock = "clock"
    /// The record of completed scrubs.
    static let scrubRecord = "last-scrub.json"
    /// Deleted keys that can still be restored.
    static let trash = "trash"
    /// The usage of namespaces, if there are quotas.
    static let usage = "usage"
    /// The digests stored during a sweep, see ``Barrier``.
    static let barriers = "barriers"
    /// The folders of a namespace's keys without prefix and with one.
    static let common = "common"
    static let custom = "custom"
    /// A folder that ext4 creates in the root of each file system.
    static let lostAndFound = "lost+found"
    /// The start of the names of files that check the file system at start.
    static let probePrefix = ".probe-"
    /// The folders that every store has.
    static let folders = [incoming, objects, keys, quarantine, locks, barriers]
    /// The folders that contain ``lockFiles``.
    static let lockFolders = [locks, barriers]
    /// The folders that are created when first needed.
    static let foldersOnDemand = [trash, usage]
    /// The files in the root; a store may lack all but the first.
    static let files = [description, clock, scrubRecord]
    /// The folders with few names, including the root.
    static let upperFolders = [".", objects, locks, barriers, incoming, keys]

    // MARK: Shards

    /// The two hex digits of every shard.
    static let shards = (UInt8.min...UInt8.max).map { hexDigits([$0]) }

    /// The name of a shard's folder below `objects/`, and of its lock.
    static func shard(_ byte: UInt8) -> String { shards[Int(byte)] }

    /// The number of a shard; `nil` if the name is not a shard's.
    static func shard(parsing name: some StringProtocol) -> UInt8? {
        guard name.utf8.count == 2, let byte = UInt8(name, radix: 16), shard(byte) == name else { return nil }
        return byte
    }

    static func isShard(_ name: String) -> Bool { shard(parsing: name) != nil }

    // Paths of fifteen bytes or less need no allocation, and a table no formatting.
    private static let lockPaths = shards.map { "\(locks)/\($0)" }
    private static let barrierPaths = shards.map { "\(barriers)/\($0)" }
    private static let objectFolders = shards.map { "\(objects)/\($0)" }

    static func lock(_ shard: UInt8) -> String { lockPaths[Int(shard)] }

    /// The file that a collector holds locked.
    static let collectorLock = "\(locks)/gc"

    /// The lock files that every store has.
    static var lockFiles: [String] {
        lockFolders.flatMap { folder in shards.map { "\(folder)/\($0)" } } + [collectorLock]
    }

    static func barrier(_ shard: UInt8) -> String { barrierPaths[Int(shard)] }

    /// Whether a name is that of a probe file, which a process creates at start to check that uploads can be linked.
    /// The file exists for a moment; a later start deletes one left by a crash.
    static func isProbe(_ name: String) -> Bool { name.utf8.starts(with: probePrefix.utf8) }

    /// As ``isProbe(_:)``, for the file in `keys/` that checks how names are kept. A namespace may start with the same
    /// characters, but its name is shorter.
    static func isNameProbe(_ name: String) -> Bool { isProbe(name) && (try? Namespace(validating: name.utf8)) == nil }

    // MARK: Content

    static func objectFolder(_ shard: UInt8) -> String { objectFolders[Int(shard)] }

    static func object(_ digest: Digest) -> String {
        path(of: digest, in: objectFolder(digest.firstByte))
    }

    private static func path(of digest: Digest, in folder: String) -> String {
        String(longest: folder.utf8.count + 1 + digestLength) { path in
            path.append(folder)
            path.append(slash)
            path.append(hex: digest)
        }
    }

    /// The hex digits of a digest.
    private static let digestLength = 64
    private static let slash = UInt8(ascii: "/")

    /// The path of damaged content in quarantine; `id` distinguishes several copies.
    static func quarantined(_ digest: Digest, _ id: String) -> String { "\(quarantine)/\(digest.hex).\(id)" }

    // MARK: Keys

    /// The folder of a namespace's keys.
    static func namespace(_ namespace: String) -> String { "\(keys)/\(namespace)" }

    /// The name of a prefix's folder for the keys of a shard. No part of a prefix can have this name.
    static func prefixShard(_ shard: UInt8) -> String { "@" + self.shard(shard) }

    /// The shard of such a folder; `nil` if the name is not of this form.
    static func prefixShard(parsing name: String) -> UInt8? {
        name.utf8.first == UInt8(ascii: "@") ? shard(parsing: name.dropFirst()) : nil
    }

    /// - Parameter tree: `keys/`, or a folder of `trash/`, which has the same layout.
    static func keyFolder(_ key: PayloadKey, in tree: String = keys) -> String {
        String(longest: longestKeyFolder(key, in: tree)) { append(folderOf: key, in: tree, to: &$0) }
    }

    static func keyName(_ key: PayloadKey) -> String {
        String(longest: keyNameLength) { append(nameOf: key, to: &$0) }
    }

    static func key(_ key: PayloadKey, in tree: String = keys) -> String {
        String(longest: longestKeyFolder(key, in: tree) + 1 + keyNameLength) { path in
            append(folderOf: key, in: tree, to: &path)
            path.append(slash)
            append(nameOf: key, to: &path)
        }
    }

    private static let keyNameLength = 2 * digestLength + 1

    private static func append(nameOf key: PayloadKey, to path: inout OutputSpan<UInt8>) {
        path.append(hex: key.digest)
        path.append(UInt8(ascii: "."))
        path.append(hex: key.metadataHash)
    }

    private static func append(folderOf key: PayloadKey, in tree: String, to path: inout OutputSpan<UInt8>) {
        path.append(tree)
        path.append(slash)
        path.append(key.namespace.utf8)
        path.append(slash)
        guard let prefix = key.prefix else {
            path.append(common)
            path.append(slash)
            return path.append(shard(key.digest.firstByte))
        }
        path.append(custom)
        for part in prefix.utf8.split(separator: slash) {
            path.append(slash)
            path.append(part)
        }
        path.append(slash)
        path.append(prefixShard(key.digest.firstByte))
    }

    /// The length of a key's folder, in bytes; empty parts of its prefix make the folder shorter.
    private static func longestKeyFolder(_ key: PayloadKey, in tree: String) -> Int {
        let names = tree.utf8.count + 1 + key.namespace.utf8.count + 1
        guard let prefix = key.prefix else { return names + common.utf8.count + "/ab".utf8.count }
        return names + custom.utf8.count + 1 + prefix.utf8.count + "/@ab".utf8.count
    }

    /// The digest and the metadata hash in the name of a key's file; `nil` for any other name.
    static func keyName(parsing name: some Collection<UInt8>) -> (digest: Digest, metadataHash: Digest)? {
        let parts = name.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 2, let digest = Digest(hex: parts[0]), let metadataHash = Digest(hex: parts[1]) else {
            return nil
        }
        return (digest, metadataHash)
    }

    // MARK: Trash

    /// The folder of the keys that count as deleted at a time (seconds since 1970).
    static func trash(deletedAt seconds: Int) -> String { "\(trash)/\(seconds)" }

    /// When the keys in a folder of `trash/` count as deleted; `nil` for other folders. Times are limited so that sums
    /// of them can't overflow.
    static func timeInTrash(_ name: String) -> Int? {
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        guard name.utf8.allSatisfy(digits.contains), let seconds = Int(name), seconds < 1 << 40, "\(seconds)" == name
        else { return nil }
        return seconds
    }

    // MARK: Quotas

    /// The file that decides whether counters can be trusted, see ``DiskStore/epochName()``.
    static let usageEpoch = "\(usage)/epoch"
    static let usageCounters = "\(usage)/namespaces"
    static let usageLocks = "\(usage)/counting"
    static let lostContents = "\(usage)/lost"
    /// `usage/` and the folders in it.
    static let usageFolders = [usage, usageCounters, usageLocks, lostContents]

    /// A namespace's ``UsageCounter``.
    static func usageCounter(_ namespace: String) -> String { "\(usageCounters)/\(namespace)" }

    /// The file that is locked while a namespace's keys are counted.
    static func usageLock(_ namespace: String) -> String { "\(usageLocks)/\(namespace)" }

    /// The mark of content that was moved to quarantine while keys may name it.
    static func lostContent(_ digest: Digest) -> String { path(of: digest, in: lostContents) }

    // MARK: Paths

    static func path(_ parts: some Sequence<String>) -> String { parts.joined(separator: "/") }

    /// The path of a name in a folder, which may be `.`, the root.
    static func path(of name: String, in folder: String) -> String { folder == "." ? name : "\(folder)/\(name)" }

    /// The parent of a path, and the name in it. Splits bytes, because `/` and a combining character after it are one
    /// `Character`.
    static func parent(of path: String) -> (folder: String?, name: String) {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return (nil, path) }
        return (String(path[..<slash]), String(path[path.utf8.index(after: slash)...]))
    }
}
