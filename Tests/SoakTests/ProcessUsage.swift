import Foundation

/// What a process has of the system at a moment (proc(5)).
struct ProcessUsage {
    /// Open files, sockets and the like.
    var descriptors = 0
    /// Folders of the store that a worker holds open, of which it may have a number that it limits itself.
    var folders = 0
    var threads = 0
    /// In KiB.
    var resident = 0
    var proportional = 0
    var peak = 0

    /// - Parameter store: the store's path.
    init(of pid: pid_t, store: String) throws {
        let folder = "/proc/\(pid)/fd"
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
            guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(name)") else {
                continue
            }
            if Self.isFolder(target, of: store) { folders += 1 } else { descriptors += 1 }
        }
        threads = Self.field("Threads", of: "/proc/\(pid)/status")
        resident = Self.field("VmRSS", of: "/proc/\(pid)/status")
        peak = Self.field("VmHWM", of: "/proc/\(pid)/status")
        proportional = Self.field("Pss", of: "/proc/\(pid)/smaps_rollup")
    }

    mutating func lower(to other: ProcessUsage) {
        descriptors = min(descriptors, other.descriptors)
        threads = min(threads, other.threads)
        resident = min(resident, other.resident)
        proportional = min(proportional, other.proportional)
    }

    /// `objects/ab`, `keys/…/ab`, and the folders above them; some were deleted meanwhile. A file of content has a digest for
    /// a name, and a key's file a longer one.
    private static func isFolder(_ target: String, of store: String) -> Bool {
        let path = target.hasSuffix(" (deleted)") ? target.dropLast(10) : target[...]
        guard
            ["objects", "keys", "trash"].contains(where: {
                path == "\(store)/\($0)" || path.hasPrefix("\(store)/\($0)/")
            })
        else { return false }
        return (path.split(separator: "/").last ?? "").utf8.count < 64
    }

    private static func field(_ name: String, of file: String) -> Int {
        let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("\(name):") }
        return line?.split { " \t".contains($0) }.dropFirst().first.flatMap { Int($0) } ?? -1
    }
}

/// A process that lives through the soak, and what it has had.
///
/// Sendable, since the one thread that leads the soak looks.
final class WatchedProcess: @unchecked Sendable {
    let name: String
    private let pid: pid_t
    private let store: String
    /// When the service was idle: before the first third, and after each.
    private(set) var idle: [ProcessUsage] = []
    /// Under load, by third.
    private var busy: [[ProcessUsage]] = [[], [], []]

    init(_ name: String, _ pid: pid_t, store: String) {
        self.name = name
        self.pid = pid
        self.store = store
    }

    /// Looks at processes for some seconds while nothing is done, and keeps the least of what each had: what is being
    /// closed is no leak.
    static func lookIdle(_ processes: [WatchedProcess]) throws {
        for process in processes { process.idle.append(try ProcessUsage(of: process.pid, store: process.store)) }
        for _ in 0..<20 {
            usleep(100_000)
            for process in processes {
                process.idle[process.idle.count - 1].lower(to: try ProcessUsage(of: process.pid, store: process.store))
            }
        }
    }

    func lookBusy(third: Int) throws { busy[third].append(try ProcessUsage(of: pid, store: store)) }

    /// The most folders that a worker holds open (`FolderCache`).
    private static let mostFolders = 1024
    /// In KiB: what allocators and tables that fill up may take more, beside a tenth.
    private static let tolerance = 2 << 10

    /// What has grown from the first third to the last.
    var growth: [String] {
        guard idle.count == 4 else { return ["\(name): was not looked at to the end"] }
        let (first, last) = (idle[1], idle[3])
        var growth: [String] = []
        if last.descriptors > first.descriptors {
            growth.append("descriptors from \(first.descriptors) to \(last.descriptors)")
        }
        if last.folders > Self.mostFolders { growth.append("open folders to \(last.folders)") }
        if last.threads > first.threads { growth.append("threads from \(first.threads) to \(last.threads)") }
        for (what, first, last) in [
            ("resident", first.resident, last.resident), ("proportional", first.proportional, last.proportional),
        ] where last > first + first / 10 + Self.tolerance {
            growth.append("\(what) memory from \(first) to \(last) KiB")
        }
        return growth.map { "\(name): \($0)" }
    }

    /// A table of the thirds.
    var report: String {
        func row(_ what: String, _ values: [String]) -> String {
            what.padding(toLength: 36, withPad: " ", startingAt: 0)
                + values.map { String(repeating: " ", count: max(1, 10 - $0.count)) + $0 }.joined()
        }
        func median(_ values: [Int]) -> Int { values.sorted().dropFirst(values.count / 2).first ?? 0 }
        let rows: [(String, KeyPath<ProcessUsage, Int>)] = [
            ("descriptors", \.descriptors), ("open folders", \.folders), ("threads", \.threads),
            ("VmRSS, KiB", \.resident), ("Pss, KiB", \.proportional), ("VmHWM, KiB", \.peak),
        ]
        var lines = [row(name, ["start", "first", "second", "last"])]
        for (what, path) in rows { lines.append(row("  idle: \(what)", idle.map { "\($0[keyPath: path])" })) }
        for (what, path) in rows.prefix(4) {
            let medians = busy.map { median($0.map { $0[keyPath: path] }) }
            lines.append(row("  busy, median: \(what)", [""] + medians.map { "\($0)" }))
        }
        return lines.joined(separator: "\n")
    }
}
