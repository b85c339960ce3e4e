import Glibc
import System
import SystemPackage

/// A file system in memory that tracks which of its state would survive a power loss.
///
/// A change of names is pending until one of its folders is synced; a change of content or times is pending until the
/// file is synced. A rename is one change. Only the thread whose turn it is (``Scheduler``) uses it.
final class SimulatedDisk {
    final class Node {
        var inode: UInt64
        let isFolder: Bool
        var content: [UInt8] = []
        var entries: [[UInt8]: Node] = [:]
        weak var parent: Node?
        var mode: mode_t
        var modified: Int
        var changed: Int64
        var links: UInt64 = 0
        var openFiles = 0
        var locks: [Int: Int32] = [:]
        var reservation: Int?

        /// The content that would certainly survive a power loss.
        var durableContent: [UInt8] = []
        var durableModified = 0
        var durableEntries: [[UInt8]: Node] = [:]
        /// Whether a sync failed: the kernel then marks the unwritten pages clean, and no later sync writes them.
        var isContentLost = false
        var isTimeLost = false

        init(inode: UInt64, isFolder: Bool, mode: mode_t, now: Int64) {
            self.inode = inode
            self.isFolder = isFolder
            self.mode = mode
            modified = Int(now / 1_000_000)
            changed = now
        }
    }

    /// Names that change atomically.
    private struct Change {
        var effects: [(folder: Node, name: [UInt8], node: Node?)]
    }

    private(set) var root: Node
    private var pending: [Change] = []
    private var lastInode: UInt64 = 1
    private var freeInodes: [UInt64] = []
    private var random: SplitMix64

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
        root = Node(inode: 1, isFolder: true, mode: 0o755, now: 0)
        root.links = 1
    }

    // MARK: Nodes

    func makeNode(isFolder: Bool, mode: mode_t, now: Int64) -> Node {
        // The kernel reuses the inode numbers of deleted files.
        let inode: UInt64
        if !freeInodes.isEmpty, random.chance(1, of: 2) {
            inode = freeInodes.remove(at: random.below(freeInodes.count))
        } else {
            lastInode += 1
            inode = lastInode
        }
        return Node(inode: inode, isFolder: isFolder, mode: mode, now: now)
    }

    func releaseIfUnused(_ node: Node) {
        if node.links == 0, node.openFiles == 0 { freeInodes.append(node.inode) }
    }

    /// Names in arbitrary order, as readdir(3) returns them.
    func shuffledNames(of folder: Node) -> [[UInt8]] {
        var names = folder.entries.keys.sorted { $0.lexicographicallyPrecedes($1) }
        for index in names.indices.dropFirst() { names.swapAt(index, random.below(index + 1)) }
        return names
    }

    /// The file or folder at a path.
    func node(at path: String, from folder: Node? = nil) -> Node? {
        var node = folder ?? root
        for part in path.utf8.split(separator: UInt8(ascii: "/")) {
            if part.elementsEqual(".".utf8) { continue }
            if part.elementsEqual("..".utf8) {
                node = node.parent ?? node
                continue
            }
            guard let next = node.entries[Array(part)] else { return nil }
            node = next
        }
        return node
    }

    // MARK: Changes

    /// Sets names atomically.
    func change(_ effects: [(folder: Node, name: [UInt8], node: Node?)], now: Int64) {
        for effect in effects {
            if let old = effect.folder.entries[effect.name] { old.links -= 1 }
            effect.folder.entries[effect.name] = effect.node
            if let node = effect.node {
                node.links += 1
                node.changed = now
                if node.isFolder { node.parent = effect.folder }
            }
            effect.folder.modified = Int(now / 1_000_000)
        }
        pending.append(Change(effects: effects))
    }

    /// fsync(2) of a folder.
    func synchronize(folder: Node) {
        apply { change in change.effects.contains { $0.folder === folder } }
    }

    /// fsync(2) or fdatasync(2) of a file.
    func synchronize(file: Node, times: Bool) {
        if !file.isContentLost { file.durableContent = file.content }
        if times, !file.isTimeLost { file.durableModified = file.modified }
    }

    /// A failing fsync(2) or fdatasync(2) of a file.
    func lose(file: Node, times: Bool) {
        file.isContentLost = file.isContentLost || file.content != file.durableContent
        if times { file.isTimeLost = true }
    }

    /// syncfs(2).
    func synchronizeAll() {
        apply { _ in true }
        forEachNode { if !$0.isFolder { synchronize(file: $0, times: true) } }
    }

    private func apply(where isApplied: (Change) -> Bool) {
        var left: [Change] = []
        for change in pending {
            guard isApplied(change) else {
                left.append(change)
                continue
            }
            for effect in change.effects {
                effect.folder.durableEntries[effect.name] = effect.node
                // Older changes of the same name are obsolete.
                for index in left.indices {
                    left[index].effects.removeAll { $0.folder === effect.folder && $0.name == effect.name }
                }
            }
        }
        pending = left
    }

    private func forEachNode(_ visit: (Node) -> Void) {
        func walk(_ node: Node) {
            visit(node)
            for child in node.entries.values { walk(child) }
        }
        walk(root)
    }

    // MARK: Power loss

    /// Loses power: any subset of the pending changes may be on disk.
    func losePower() {
        switch random.below(4) {
        case 0: pending = []
        case 1: apply { _ in true }
        case 2:
            // In order, as in a journal.
            let kept = random.below(pending.count + 1)
            var index = 0
            apply { _ in
                index += 1
                return index <= kept
            }
        default: apply { _ in random.chance(1, of: 2) }
        }
        pending = []
        forgetLinks(root)
        root.links = 1
        recover(root)
        freeInodes = []
    }

    private func forgetLinks(_ node: Node) {
        node.links = 0
        for child in node.durableEntries.values { forgetLinks(child) }
    }

    private func recover(_ node: Node) {
        // Another file may have reused the number since.
        lastInode += 1
        node.inode = lastInode
        node.openFiles = 0
        node.locks = [:]
        node.reservation = nil
        guard node.isFolder else {
            if node.content != node.durableContent {
                switch random.below(3) {
                case 0: node.content = node.durableContent
                case 1: break
                default:
                    // The size is on disk, but some blocks were never written.
                    let kept = random.below(node.content.count + 1)
                    node.content = node.content[..<kept] + [UInt8](repeating: 0, count: node.content.count - kept)
                }
            }
            if node.modified != node.durableModified, random.chance(1, of: 2) { node.modified = node.durableModified }
            node.durableContent = node.content
            node.durableModified = node.modified
            node.isContentLost = false
            node.isTimeLost = false
            return
        }
        node.entries = node.durableEntries
        for name in node.entries.keys.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            guard let child = node.entries[name] else { continue }
            child.links += 1
            child.parent = child.isFolder ? node : nil
            recover(child)
        }
    }
}
