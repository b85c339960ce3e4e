import Testing

@testable import lps

@Suite struct ProgressTests {
    /// A terminal of one line, and a clock that the test sets.
    private final class Terminal {
        var time = Duration.zero
        private(set) var line = ""
        private(set) var writes = 0

        func progress(width: Int = 80) -> Progress {
            Progress("scrub", width: width, now: { self.time }) { text in
                self.writes += 1
                var cells = Array(self.line)
                var column = 0
                for character in text {
                    guard character != "\r" else {
                        column = 0
                        continue
                    }
                    if column == cells.count { cells.append(character) } else { cells[column] = character }
                    column += 1
                }
                self.line = String(cells)
            }
        }

        var text: String { String(line.reversed().drop { $0 == " " }.reversed()) }
    }

    private let terminal = Terminal()
    private let mebibyte = 1 << 20

    @Test func `The line shows the amount done, the rate and the time left`() {
        let progress = terminal.progress()
        progress.begin(.bytes, total: UInt64(100 * mebibyte))
        #expect(terminal.text == "scrub: 0 B of 100.0 MiB (0 %)")
        for _ in 0..<25 {
            terminal.time += .milliseconds(400)
            progress.advance(by: mebibyte)
        }
        #expect(terminal.text == "scrub: 25.0 MiB of 100.0 MiB (25 %), 2.5 MiB/s, 0:30 left")
        terminal.time += .seconds(10)
        progress.advance(by: 0)
        #expect(
            terminal.text == "scrub: 25.0 MiB of 100.0 MiB (25 %), 1.3 MiB/s, 1:00 left",
            "the shorter line covers the longer one"
        )
    }

    @Test func `The line is written five times a second, not for each piece`() {
        let progress = terminal.progress()
        progress.begin(.keys, total: 100_000)
        let before = terminal.writes
        for _ in 0..<100_000 {
            terminal.time += .microseconds(10)
            progress.advance(by: 1)
        }
        #expect(terminal.writes - before == 5, "five times in this second")
        #expect(terminal.text == "scrub: 100000 keys of 100000 keys (100 %), 100000 keys/s, 0:00 left")
    }

    @Test(arguments: [(7, "0:07"), (754, "12:34"), (3_723, "1:02:03"), (360_000, "100:00:00")])
    func `The time left is shown in hours, minutes and seconds`(seconds: UInt64, text: String) {
        let progress = terminal.progress()
        progress.begin(.keys, total: 10 + seconds * 10)
        terminal.time += .seconds(1)
        progress.advance(by: 10)
        #expect(terminal.text.hasSuffix("%), 10 keys/s, \(text) left"))
    }

    @Test func `A total that is exceeded grows, and a total of zero shows no percentage`() {
        let progress = terminal.progress()
        progress.begin(.bytes, total: 10)
        terminal.time += .seconds(1)
        progress.advance(by: 20)
        #expect(terminal.text == "scrub: 20 B of 20 B (100 %), 20 B/s, 0:00 left")
        progress.begin(.bytes, total: 0)
        #expect(terminal.text == "scrub: 0 B of 0 B")
    }

    @Test func `A wiped line comes back with the next advance`() {
        let progress = terminal.progress()
        progress.begin("checking folders")
        #expect(terminal.text == "scrub: checking folders")
        progress.wipe()
        #expect(terminal.text.isEmpty)
        let writes = terminal.writes
        progress.wipe()
        progress.advance(by: 1)
        #expect(terminal.writes == writes, "there is nothing to wipe or to count")
        progress.begin(.bytes, total: 100)
        progress.wipe()
        terminal.time += .seconds(1)
        progress.advance(by: 50)
        #expect(terminal.text.hasPrefix("scrub: 50 B of 100 B (50 %)"))
    }

    @Test(arguments: [0, 1, 10, 40])
    func `The line never reaches the last column`(width: Int) {
        let progress = terminal.progress(width: width)
        progress.begin(.bytes, total: 1 << 40)
        terminal.time += .seconds(1)
        progress.advance(by: 1 << 30)
        #expect(terminal.line.count == max(0, width - 1))
    }
}
