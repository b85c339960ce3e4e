import Foundation
import TestSupport

/// A file system's tree as its calls leave it, of which some changes are on disk for certain, and others may be lost with
/// the power.
///
/// What POSIX promises is all that is certain: fsync(2) of a file puts what was written to it on disk, fsync(2) of a
/// folder the names in it. Whatever was not synced may be there or not, in any order. Only a rename is one change, as every
/// file system with a journal has it: its two names are never lost both.
struct Disk {
    typealias Node = Int

    /// A file's content, or a folder.
    enum Kind { case file, folder }

    /// What a call has changed.
    enum Change {
        /// The names of one call, each of which leads to a node or nowhere; the first is the one whose folder's sync
        /// makes it certain.
        case names([Name])
        case content(Node, Write)
        case age(Node)
    }

    struct Name {
        let folder: Node
        let name: String
        let node: Node?
    }

    enum Write {
        case bytes([UInt8], offset: Int)
        case length(Int)
    }

    enum Event {
        case change(Change)
        case sync(Node, isDataOnly: Bool)
        /// Someone was told that something is stored.
        case promise(Int)
    }

    static let root: Node = 0
    private(set) var kinds: [Kind] = [.folder]
    private(set) var events: [Event] = []
    /// What was on disk at first: names by folder, and contents.
    private(set) var initialNames: [Node: [String: Node]] = [root: [:]]
    private(set) var initialContents: [Node: [UInt8]] = [:]
    private let path: String
    /// How all is when nothing is lost.
    private var names: [Node: [String: Node]] = [root: [:]]
    private var lengths: [Node: Int] = [:]
    /// Where a path led before its name was taken.
    private var removed: [String: Node] = [:]

    /// The tree below a folder, all of it on disk.
    init(reading path: String) throws {
        self.path = path
        var seen: [ino_t: Node] = [:]
        for entry in FileManager.default.enumerator(atPath: path)?.compactMap({ $0 as? String }) ?? [] {
            var status = stat()
            guard lstat("\(path)/\(entry)", &status) == 0 else { throw UnknownCall(line: entry) }
            let isFolder = status.st_mode & S_IFMT == S_IFDIR
            let node = seen[status.st_ino] ?? make(isFolder ? .folder : .file)
            seen[status.st_ino] = node
            guard let place = place(entry) else { throw UnknownCall(line: entry) }
            names[place.folder]?[place.name] = node
            if !isFolder {
                initialContents[node] = try contents(of: "\(path)/\(entry)")
                lengths[node] = initialContents[node]?.count
            }
        }
        initialNames = names
    }

    private mutating func make(_ kind: Kind) -> Node {
        kinds.append(kind)
        let node = kinds.count - 1
        if kind == .folder { names[node] = [:] } else { lengths[node] = 0 }
        return node
    }

    /// Adds what a call has done, if it is about this tree.
    mutating func add(_ call: DiskCall, line: Substring) throws {
        switch call {
        case .makeFolder(let path):
            guard let path = relative(path) else { return }
            change([name(try knownPlace(path, line), make(.folder))])
        case .open(let path, let isEmptied):
            guard let path = relative(path) else { return }
            if let node = node(path) {
                if isEmptied { write(.length(0), to: node) }
            } else {
                change([name(try knownPlace(path, line), make(.file))])
            }
        case .write(let path, let offset, let bytes):
            guard let node = try node(of: path, line) else { return }
            write(.bytes(bytes, offset: offset ?? lengths[node, default: 0]), to: node)
        case .truncate(let path, let length):
            guard let node = try node(of: path, line) else { return }
            write(.length(length), to: node)
        case .renewAge(let path):
            guard let node = try node(of: path, line) else { return }
            events.append(.change(.age(node)))
        case .link(let from, let to):
            guard let to = relative(to), let node = try node(of: from, line) else { return }
            change([name(try knownPlace(to, line), node)])
        case .rename(let from, let to):
            guard let to = relative(to), let source = relative(from), let node = try node(of: from, line) else {
                return
            }
            change([name(try knownPlace(to, line), node), name(try knownPlace(source, line), nil)])
        case .remove(let path):
            guard let path = relative(path) else { return }
            removed[path] = node(path)
            change([name(try knownPlace(path, line), nil)])
        case .sync(let path, let isDataOnly):
            guard let node = try node(of: path, line) else { return }
            events.append(.sync(node, isDataOnly: isDataOnly))
        case .answer: return
        }
    }

    mutating func addPromise(_ number: Int) {
        events.append(.promise(number))
    }

    /// The same, had a call not been made that changes nothing.
    func without(event index: Int) -> Disk {
        var copy = self
        copy.events.remove(at: index)
        return copy
    }

    /// The names of a node when nothing is lost.
    func paths(of node: Node) -> [String] {
        if node == Self.root { return [""] }
        return names.flatMap { folder, entries in
            entries.filter { $0.value == node }.flatMap { name, _ in
                paths(of: folder).map { $0.isEmpty ? name : "\($0)/\(name)" }
            }
        }
    }

    // MARK: The tree when nothing is lost

    private mutating func change(_ changed: [Name]) {
        for name in changed { names[name.folder]?[name.name] = name.node }
        events.append(.change(.names(changed)))
    }

    private mutating func write(_ write: Write, to node: Node) {
        switch write {
        case .bytes(let bytes, let offset): lengths[node] = max(lengths[node, default: 0], offset + bytes.count)
        case .length(let length): lengths[node] = length
        }
        events.append(.change(.content(node, write)))
    }

    private func name(_ place: (folder: Node, name: String), _ node: Node?) -> Name {
        Name(folder: place.folder, name: place.name, node: node)
    }

    /// A path of a call, relative to the root; `nil`: elsewhere.
    private func relative(_ path: String) -> String? {
        if path == self.path { return "" }
        return path.hasPrefix(self.path + "/") ? String(path.dropFirst(self.path.count + 1)) : nil
    }

    private func node(_ path: String) -> Node? {
        var node = Self.root
        for name in path.split(separator: "/") {
            guard let next = names[node]?[String(name)] else { return nil }
            node = next
        }
        return node
    }

    /// The node of an open file; `nil`: elsewhere.
    private func node(of path: String, _ line: Substring) throws -> Node? {
        guard let path = relative(path) else { return nil }
        let gone = "(deleted)"
        let found = path.hasSuffix(gone) ? removed[String(path.dropLast(gone.count))] : node(path)
        guard let found else { throw UnknownCall(line: String(line)) }
        return found
    }

    private func place(_ path: String) -> (folder: Node, name: String)? {
        var parts = path.split(separator: "/").map(String.init)
        guard let name = parts.popLast() else { return nil }
        return node(parts.joined(separator: "/")).map { ($0, name) }
    }

    private func knownPlace(_ path: String, _ line: Substring) throws -> (folder: Node, name: String) {
        guard let place = place(path) else { throw UnknownCall(line: String(line)) }
        return place
    }
}
