import Foundation
import TestSupport

/// A tree that the next start may find.
struct CrashState: Hashable {
    /// The files by their paths, equal numbers being links to one file.
    private var files: [String: Disk.Node] = [:]
    private var folders: Set<String> = []
    private var contents: [Disk.Node: [UInt8]] = [:]
    /// The files that were there at first and have not been renewed since.
    private var old: Set<Disk.Node> = []
    /// What had been promised by then.
    private(set) var promises: Set<Int> = []

    /// What becomes of a change that is not on disk for certain.
    enum Fate: CaseIterable {
        case done
        case lost
        /// A file is as long as it would be, and has zeros.
        case zeros
        /// Half of what was written is there.
        case half
    }

    /// - Parameters:
    ///   - count: how many events there had been when the power went.
    ///   - fates: what has become of the uncertain changes among them.
    private init(_ disk: Disk, after count: Int, fates: [Int: Fate]) {
        var names = disk.initialNames
        var contents = disk.initialContents
        var renewed: Set<Disk.Node> = []
        for (index, event) in disk.events[..<count].enumerated() {
            guard case .change(let change) = event else {
                if case .promise(let number) = event { promises.insert(number) }
                continue
            }
            let outcome = fates[index] ?? .done
            switch change {
            case .names(let changed):
                guard outcome != .lost else { continue }
                for name in changed { names[name.folder, default: [:]][name.name] = name.node }
            case .content(let node, let write):
                contents[node] = Self.apply(write, to: contents[node] ?? [], outcome)
            case .age(let node):
                if outcome != .lost { renewed.insert(node) }
            }
        }
        collect(Disk.root, "", disk, names, contents)
        old = Set(disk.initialContents.keys).subtracting(renewed).intersection(files.values)
    }

    private static func apply(_ write: Disk.Write, to content: [UInt8], _ fate: Fate) -> [UInt8] {
        switch (write, fate) {
        case (_, .lost): return content
        case (.length(let length), _):
            return Array(content.prefix(length)) + Array(repeating: 0, count: max(0, length - content.count))
        case (.bytes(let bytes, let offset), _):
            let kept = fate == .zeros ? 0 : fate == .half ? bytes.count / 2 : bytes.count
            var content = content
            let end = offset + bytes.count
            if content.count < end { content += Array(repeating: 0, count: end - content.count) }
            content.replaceSubrange(offset..<offset + kept, with: bytes[..<kept])
            return content
        }
    }

    private mutating func collect(
        _ folder: Disk.Node,
        _ path: String,
        _ disk: Disk,
        _ names: [Disk.Node: [String: Disk.Node]],
        _ all: [Disk.Node: [UInt8]]
    ) {
        for (name, node) in names[folder] ?? [:] {
            if disk.kinds[node] == .folder {
                folders.insert(path + name)
                collect(node, "\(path)\(name)/", disk, names, all)
            } else if path != "incoming/" {
                // There, nothing is ever read.
                files[path + name] = node
                contents[node] = all[node] ?? []
            }
        }
    }

    /// What may be found whenever the power goes: all where few changes are uncertain, else a choice.
    ///
    /// What may be found before some more changes may be found after them, too, since they may all be lost: only the
    /// moments before a sync, before a promise and at the end need a look.
    static func possible(_ disk: Disk, using generator: inout some RandomNumberGenerator) -> Set<CrashState> {
        var states: Set<CrashState> = []
        for count in 0...disk.events.count {
            if count < disk.events.count, case .change = disk.events[count] { continue }
            states.formUnion(possible(disk, after: count, using: &generator))
        }
        return states
    }

    private static func possible(_ disk: Disk, after count: Int, using generator: inout some RandomNumberGenerator)
        -> Set<
            CrashState
        >
    {
        let uncertain = disk.events[..<count].indices.filter { !disk.isCertain($0, after: count) }
        var states: Set<CrashState> = []
        func add(_ fate: (Int) -> Fate) {
            let fates = uncertain.indices.map { (uncertain[$0], fate($0)) }
            states.insert(CrashState(disk, after: count, fates: Dictionary(uniqueKeysWithValues: fates)))
        }
        for fate in Fate.allCases { add { _ in fate } }
        for alone in stride(from: 0, to: uncertain.count, by: max(1, uncertain.count / 12)) {
            for fate in Fate.allCases {
                add { $0 == alone ? fate : .done }
                add { $0 == alone ? fate : .lost }
            }
        }
        if uncertain.count <= 8 {
            for choice in 0..<1 << uncertain.count { add { choice >> $0 & 1 == 0 ? .done : .lost } }
        } else {
            for _ in 0..<100 {
                let fates = uncertain.map { _ in Fate.allCases.randomElement(using: &generator) ?? .lost }
                add { fates[$0] }
            }
        }
        return states
    }

    /// Makes the tree, in a folder that is not there.
    ///
    /// - Parameter old: when the files were modified that are no newer than the first tree, in seconds since 1970.
    func make(at root: String, old time: Int) throws {
        let manager = FileManager.default
        try manager.createDirectory(atPath: root, withIntermediateDirectories: false)
        for folder in folders.sorted() {
            guard mkdir("\(root)/\(folder)", 0o750) == 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
        }
        var made: [Disk.Node: String] = [:]
        for (path, node) in files {
            let target = "\(root)/\(path)"
            if let first = made[node] {
                guard Glibc.link(first, target) == 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
                continue
            }
            made[node] = target
            let file = Glibc.open(target, O_WRONLY | O_CREAT | O_EXCL, 0o640)
            guard file >= 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
            defer { close(file) }
            let bytes = contents[node] ?? []
            guard Glibc.write(file, bytes, bytes.count) == bytes.count else {
                throw POSIXError(.init(rawValue: errno) ?? .EIO)
            }
            if old.contains(node) {
                let times = Array(repeating: timespec(tv_sec: time, tv_nsec: 0), count: 2)
                guard futimens(file, times) == 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
            }
        }
    }

    /// For a message: what is there, but for the locks.
    var description: String {
        let lines = files.filter { !$0.key.hasPrefix("locks/") }.sorted { $0.key < $1.key }
            .map { "\($0.key) #\($0.value) \(contents[$0.value]?.count ?? 0) bytes" }
        return lines.joined(separator: "\n")
    }
}

extension Disk {
    /// Whether a change is on disk whatever happens, when the power goes after so many events.
    func isCertain(_ index: Int, after count: Int) -> Bool {
        guard case .change(let change) = events[index] else { return true }
        return events[index..<count].contains { event in
            guard case .sync(let node, let isDataOnly) = event else { return false }
            switch change {
            case .names(let changed): return changed.first?.folder == node
            case .content(let changed, _): return changed == node
            case .age(let changed): return changed == node && !isDataOnly
            }
        }
    }
}
