import Glibc
import SystemPackage

/// How far a long command is: one line of a terminal, written over and over, and wiped at the end.
///
/// Goes to standard error, so that results can be piped or redirected meanwhile.
final class Progress {
    /// What is counted.
    enum Unit {
        case bytes, keys
    }

    /// The least time between two versions of the line: often enough to look alive, too seldom to cost anything.
    private static let interval = Duration.milliseconds(200)

    private let command: String
    private let width: Int
    private let now: () -> Duration
    private let write: (String) -> Void
    private var state: State?
    /// How many characters of the line are on the terminal.
    private var shown = 0
    private var shownAt = Duration.zero

    private struct State {
        let unit: Unit
        let total: UInt64
        let start: Duration
        var done: UInt64 = 0
    }

    /// - Parameters:
    ///   - command: what the line begins with.
    ///   - width: columns of the terminal.
    ///   - now: the time since some moment.
    ///   - write: writes to the terminal.
    init(_ command: String, width: Int, now: @escaping () -> Duration, write: @escaping (String) -> Void) {
        self.command = command
        self.width = width
        self.now = now
        self.write = write
    }

    /// The progress of a command whose standard error is a terminal; `nil` when it is none.
    static func onTerminal(_ command: String) -> Progress? {
        let terminal = FileDescriptor.standardError
        guard isatty(terminal.rawValue) == 1 else { return nil }
        let start = ContinuousClock.now
        return Progress(command, width: columns(terminal), now: { ContinuousClock.now - start }) { text in
            // A terminal that is gone is no reason to stop.
            _ = try? terminal.writeAll(Array(text.utf8))
        }
    }

    private static func columns(_ terminal: FileDescriptor) -> Int {
        var size = winsize()
        guard ioctl(terminal.rawValue, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// Begins something of which it is not known how much there is.
    func begin(_ what: String) {
        state = nil
        show("\(command): \(what)")
    }

    /// Begins to count up to a total.
    func begin(_ unit: Unit, total: UInt64) {
        let state = State(unit: unit, total: total, start: now())
        self.state = state
        show(text(state))
    }

    /// Counts, and shows it now and then.
    func advance(by count: Int) {
        guard var state else { return }
        state.done += UInt64(count)
        self.state = state
        if now() - shownAt >= Self.interval { show(text(state)) }
    }

    /// Wipes the line, to make room for another one. The next ``advance(by:)`` shows it again.
    func wipe() {
        guard shown > 0 else { return }
        write("\r" + String(repeating: " ", count: shown) + "\r")
        shown = 0
    }

    private func show(_ text: String) {
        // A line that reaches the last column would be broken, and \r lead to its second half only.
        let text = text.prefix(max(0, width - 1))
        write("\r" + text + String(repeating: " ", count: max(0, shown - text.count)))
        shown = text.count
        shownAt = now()
    }

    private func text(_ state: State) -> String {
        // Uploads may have added to it meanwhile.
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

    /// `0:07`, `12:34`, `1:02:03`.
    private static func time(_ seconds: Double) -> String {
        let seconds = Int(min(seconds.rounded(.up), 1e9))
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60)
        return (hours > 0 ? "\(hours):\(two(minutes))" : "\(minutes)") + ":" + two(seconds % 60)
    }
}
