import Glibc
import SystemPackage

/// The progress of a long command: one line on a terminal, rewritten in place and wiped at the end.
///
/// It is on standard error, so that results can be piped or redirected.
final class Progress {
    enum Unit {
        case bytes, keys
    }

    /// The minimum time between two updates of the line: frequent enough to look alive, rare enough to cost nothing.
    private static let interval = Duration.milliseconds(200)

    private let command: String
    private let width: Int
    private let now: () -> Duration
    private let write: (String) -> Void
    private var state: State?
    /// The number of characters on the terminal.
    private var shown = 0
    private var shownAt = Duration.zero

    private struct State {
        let unit: Unit
        let total: UInt64
        let start: Duration
        var done: UInt64 = 0
    }

    /// - Parameters:
    ///   - command: The command's name, which begins the line.
    ///   - width: The terminal's columns.
    ///   - now: Returns the time since an arbitrary fixed moment.
    ///   - write: Writes to the terminal.
    init(_ command: String, width: Int, now: @escaping () -> Duration, write: @escaping (String) -> Void) {
        self.command = command
        self.width = width
        self.now = now
        self.write = write
    }

    /// Creates the progress line of a command; `nil` when standard error is not a terminal.
    static func onTerminal(_ command: String) -> Progress? {
        let terminal = FileDescriptor.standardError
        guard isatty(terminal.rawValue) == 1 else { return nil }
        let start = ContinuousClock.now
        return Progress(command, width: columns(terminal), now: { ContinuousClock.now - start }) { text in
            // A closed terminal must not stop the command.
            _ = try? terminal.writeAll(Array(text.utf8))
        }
    }

    private static func columns(_ terminal: FileDescriptor) -> Int {
        var size = winsize()
        guard ioctl(terminal.rawValue, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// Begins a step of unknown length.
    func begin(_ what: String) {
        state = nil
        show("\(command): \(what)")
    }

    /// Begins a step that counts up to a total.
    func begin(_ unit: Unit, total: UInt64) {
        let state = State(unit: unit, total: total, start: now())
        self.state = state
        show(text(state))
    }

    /// Adds to the count, and updates the line if it is due.
    func advance(by count: Int) {
        guard var state else { return }
        state.done += UInt64(count)
        self.state = state
        if now() - shownAt >= Self.interval { show(text(state)) }
    }

    /// Wipes the line, so that another one can be printed. A later ``advance(by:)`` shows it again.
    func wipe() {
        guard shown > 0 else { return }
        write("\r" + String(repeating: " ", count: shown) + "\r")
        shown = 0
    }

    private func show(_ text: String) {
        // A line that reaches the last column would wrap, and \r would return only to its second half.
        let text = text.prefix(max(0, width - 1))
        write("\r" + text + String(repeating: " ", count: max(0, shown - text.count)))
        shown = text.count
        shownAt = now()
    }

    private func text(_ state: State) -> String {
        // Uploads may have added to the total meanwhile.
        let total = max(state.total, state.done)
        let seconds = (now() - state.start) / .seconds(1)
        let rate = seconds > 0 ? Double(state.done) / seconds : 0
        var text = "\(command): \(amount(state.done, state.unit)) of \(amount(total, state.unit))"
        if total > 0 { text += " (\(Int(Double(state.done) / Double(total) * 100)) %)" }
        guard rate >= 1 else { return text }
        text += ", \(amount(UInt64(rate), state.unit))/s"
        return text + ", \(Self.time(Double(total - state.done) / rate)) left"
    }

    private func amount(_ count: UInt64, _ unit: Unit) -> String {
        switch unit {
        case .bytes: Output.size(count)
        case .keys: "\(count) keys"
        }
    }

    /// Formats a duration: `0:07`, `12:34`, `1:02:03`.
    private static func time(_ seconds: Double) -> String {
        let seconds = Int(min(seconds.rounded(.up), 1e9))
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60)
        return (hours > 0 ? "\(hours):\(two(minutes))" : "\(minutes)") + ":" + two(seconds % 60)
    }
}
