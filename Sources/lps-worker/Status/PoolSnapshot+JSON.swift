import FoundationEssentials
import Scoreboard
import System

extension PoolSnapshot {
    /// The page as JSON: one object with every figure.
    ///
    /// - Parameter full: whether to list each process's threads.
    func json(full: Bool) throws -> [UInt8] {
        var page: [String: JSON] = [:]
        var objects: [String: [String: JSON]] = [:]
        for figure in Figure.all {
            guard let path = figure.json?.split(separator: ".").map(String.init) else { continue }
            let samples = figure.samples(self)
            if samples.contains(where: { !$0.labels.isEmpty }) {
                page[path[0]] = JSON(samples.map { Self.json($0, path[1]) })
            } else if path.count == 1 {
                page[path[0]] = samples.first.map { JSON($0.value) }
            } else if let value = samples.first?.value {
                objects[path[0], default: [:]][path[1]] = JSON(value)
            }
        }
        for (name, object) in objects { page[name] = JSON(object) }
        let now = monotonicNow()
        page["processes"] = JSON(processes.map { Self.json($0, now, full: full) })
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(page)) + [0x0A]
    }

    private static func json(_ sample: Figure.Sample, _ name: String) -> [String: JSON] {
        sample.labels.reduce(into: [name: JSON(sample.value)]) { $0[$1.name] = JSON($1.value) }
    }

    private static func json(_ process: Scoreboard.PoolProcess, _ now: UInt64, full: Bool) -> [String: JSON] {
        let threads = process.threads.map { thread in
            ThreadColumn.all.reduce(into: [:]) { $0[$1.json] = $1.value(thread, now).map { JSON($0) } }
        }
        let object = ["pid": JSON(process.pid), "started": JSON(process.started)]
        return full ? object.merging(["threads": JSON(threads)]) { $1 } : object
    }
}

/// A value of any type.
private struct JSON: Encodable {
    let value: any Encodable

    init(_ value: any Encodable) { self.value = value }

    func encode(to encoder: any Encoder) throws { try value.encode(to: encoder) }
}

extension Figure.Value: Encodable {
    func encode(to encoder: any Encoder) throws {
        switch self {
        case .count(let number), .number(let number), .time(let number): try number.encode(to: encoder)
        case .seconds(let seconds): try seconds.encode(to: encoder)
        case .text(let text): try text.encode(to: encoder)
        case .durations(let durations):
            let buckets = Dictionary(uniqueKeysWithValues: zip(Histogram.boundNames, durations.cumulative))
            let members = [
                "count": JSON(durations.count), "seconds": JSON(durations.seconds), "not_over": JSON(buckets),
            ]
            try members.encode(to: encoder)
        }
    }
}
