import FoundationEssentials
import Scoreboard
import System

extension PoolSnapshot {
    /// The page as text: one line per figure, as on PHP-FPM's status page.
    ///
    /// - Parameter full: whether to append a row per thread.
    func text(full: Bool) -> String {
        let lines = Figure.all.flatMap(lines) + (full ? [""] + rows : [])
        return lines.joined(separator: "\n") + "\n"
    }

    private func lines(_ figure: Figure) -> [String] {
        guard let name = figure.text else { return [] }
        let samples = figure.samples(self)
        guard let first = samples.first else { return [Self.line(name, figure.unknown)] }
        guard !first.labels.isEmpty else { return [Self.line(name, first.value.text)] }
        return samples.filter { !$0.value.isZero }.map { labels, value in
            Self.line(name.replacing("*", with: labels.map(\.value).joined(separator: " ")), value.text)
        }
    }

    private static func line(_ name: String, _ value: String) -> String { padded(name + ":", 29) + value }

    /// A table of the threads, below a row of column names.
    private var rows: [String] {
        let now = monotonicNow()
        let names = ["pid", "thread"] + ThreadColumn.all.map(\.name)
        let threads = processes.flatMap { process in
            process.threads.enumerated().map { number, thread in
                ["\(process.pid)", "\(number)"] + ThreadColumn.all.map { $0.value(thread, now)?.text ?? "-" }
            }
        }
        let widths = [8, 6] + ThreadColumn.all.map(\.width)
        return ([names] + threads).map { cells in zip(cells, widths).map(Self.padded).joined(separator: " ") }
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.utf8.count))
    }
}

extension Figure.Value {
    /// Whether the value is a count of zero, which the text page omits.
    fileprivate var isZero: Bool {
        switch self {
        case .count(0): true
        case .durations(let durations): durations.count == 0
        default: false
        }
    }

    fileprivate var text: String {
        switch self {
        case .count(let number), .number(let number): "\(number)"
        case .time(let seconds): Date(timeIntervalSince1970: Double(seconds)).ISO8601Format()
        case .seconds(let seconds): Self.microseconds(seconds)
        case .text(let text): text
        case .durations(let durations) where durations.count == 0: "0"
        case .durations(let durations): Self.microseconds(durations.seconds / Double(durations.count))
        }
    }

    /// Formats seconds with six decimals.
    private static func microseconds(_ seconds: Double) -> String {
        let number = UInt64(max(0, seconds) * 1e6)
        return "\(number / 1_000_000)." + "\(number % 1_000_000 + 1_000_000)".dropFirst()
    }
}
