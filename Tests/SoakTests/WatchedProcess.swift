import Foundation

/// A process that runs throughout the soak, and its resource usage (proc(5)).
///
/// Sendable because only one thread at a time uses it.
final class WatchedProcess: @unchecked Sendable {
    /// The report's measures, in this order. Memory is in KiB. "open folders" are those of the store, whose number a
    /// worker limits itself.
    private static let measures = ["descriptors", "open folders", "threads", "VmRSS", "Pss", "VmHWM"]
    /// The most folders that a worker holds open (`FolderCache`).
    private static let mostFolders = 1024
    /// In KiB: memory that allocators and growing tables may add, in addition to a tenth.
    private static let tolerance = 2 << 10

    private let name: String
    private let pid: pid_t
    private let store: String
    /// Measured while the service was idle: after the warm-up, and after each third.
    private var idle: [[String: Int]] = []
    /// Measured under load, by third.
    private var busy: [[[String: Int]]] = [[], [], []]

    init(_ name: String, _ pid: pid_t, store: String) {
        self.name = name
        self.pid = pid
        self.store = store
    }

    // MARK: Measuring

    private func look() throws -> [String: Int] {
        let descriptors = "/proc/\(pid)/fd"
        let targets = try FileManager.default.contentsOfDirectory(atPath: descriptors).compactMap {
            try? FileManager.default.destinationOfSymbolicLink(atPath: "\(descriptors)/\($0)")
        }
        let folders = targets.count(where: isFolderOfStore)
        var usage = ["descriptors": targets.count - folders, "open folders": folders]
        for (measure, file) in [
            ("Threads", "status"), ("VmRSS", "status"), ("VmHWM", "status"), ("Pss", "smaps_rollup"),
        ] {
            let text = (try? String(contentsOfFile: "/proc/\(pid)/\(file)", encoding: .utf8)) ?? ""
            let line = text.split(separator: "\n").first { $0.hasPrefix("\(measure):") }
            let number = line?.split { " \t".contains($0) }.dropFirst().first.flatMap { Int($0) }
            usage[measure == "Threads" ? "threads" : measure] = number
        }
        return usage
    }

    /// Whether this is `objects/ab`, `keys/…/ab` or a folder above them, perhaps deleted. An object's file has a digest
    /// as its name, a key's file a longer one.
    private func isFolderOfStore(_ target: String) -> Bool {
        let path = target.replacingOccurrences(of: " (deleted)", with: "")
        let isInStore = ["objects", "keys", "trash"].contains { "\(path)/".hasPrefix("\(store)/\($0)/") }
        return isInStore && (path as NSString).lastPathComponent.utf8.count < 64
    }

    /// Measures idle processes for two seconds, and keeps each measure's minimum, because descriptors that are being
    /// closed are no leak.
    static func lookIdle(_ processes: [WatchedProcess]) throws {
        for process in processes { process.idle.append(try process.look()) }
        for _ in 0..<20 {
            usleep(100_000)
            for process in processes {
                process.idle[process.idle.count - 1].merge(try process.look(), uniquingKeysWith: min)
            }
        }
    }

    func lookBusy(third: Int) throws { busy[third].append(try look()) }

    // MARK: Results

    /// The measures that have grown from the first third to the last.
    var growth: [String] {
        guard idle.count == 4 else { return ["\(name): was not measured to the end"] }
        let grown = Self.measures.filter { measure in
            let (first, last) = (idle[1][measure] ?? 0, idle[3][measure] ?? 0)
            return switch measure {
            case "descriptors", "threads": last > first
            case "open folders": last > Self.mostFolders
            // A peak never falls.
            case "VmHWM": false
            default: last > first + first / 10 + Self.tolerance
            }
        }
        return grown.map { "\(name): \($0) from \(idle[1][$0] ?? 0) to \(idle[3][$0] ?? 0)" }
    }

    /// One line per measure: the idle values after the warm-up and each third, and each third's median under load.
    var report: String {
        let lines = Self.measures.map { measure in
            let idle = idle.map { "\($0[measure] ?? 0)" }
            let busy = busy.map { third in
                let sorted = third.compactMap { $0[measure] }.sorted()
                return sorted.isEmpty ? "-" : "\(sorted[sorted.count / 2])"
            }
            return "  \(measure): idle \(idle.joined(separator: ", ")); busy \(busy.joined(separator: ", "))"
        }
        return ([name] + lines).joined(separator: "\n")
    }
}
