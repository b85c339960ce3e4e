import Glibc
import Synchronization

/// A thread's row in the scoreboard: its state, which every process of the pool can read.
///
/// Only the thread itself writes. The first word is odd during a change, and has a new value after it (a "seqlock"), so that
/// readers notice a change and read again.
public struct ThreadRow: Sendable {
    static let words = 64
    private static let progress = 6
    private static let textStart = 7
    /// The maximum bytes of the text; longer text is truncated.
    public static let textLimit = (words - textStart) * 8

    private let words: Words

    init(_ words: Words) {
        self.words = words
    }

    /// A thread's state.
    public struct State: Equatable, Sendable {
        /// The activity's number, which the pool defines; zero is idle.
        public var code: UInt64
        /// When the activity started, in nanoseconds of ``monotonicNow()``.
        public var since: UInt64
        /// When the thread's request started, in the same unit; zero if it has none.
        public var requestSince: UInt64
        /// When the thread last made progress or changed its state, in the same unit.
        public var progress: UInt64
        /// The number of requests that the thread has finished.
        public var requests: UInt64
        /// A description of the request, in a form that the pool defines.
        public var text: [UInt8]

        /// Makes a state, with progress at `since`.
        public init(code: UInt64, since: UInt64, requestSince: UInt64, requests: UInt64, text: [UInt8]) {
            progress = since
            self.code = code
            self.since = since
            self.requestSince = requestSince
            self.requests = requests
            self.text = text
        }
    }

    /// Writes the state. Only the row's own thread may call this.
    public func write(_ state: State) {
        let sequence = words[0] & ~1
        words[0] = sequence &+ 1
        atomicMemoryFence(ordering: .releasing)
        words[1] = state.code
        words[2] = state.since
        words[3] = state.requestSince
        words[4] = state.requests
        words[Self.progress] = state.progress
        let text = state.text.prefix(Self.textLimit)
        words[5] = UInt64(text.count)
        for (index, byte) in stride(from: text.startIndex, to: text.endIndex, by: 8).enumerated() {
            let piece = text[byte..<min(byte + 8, text.endIndex)]
            words[Self.textStart + index] = piece.reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        atomicMemoryFence(ordering: .releasing)
        words[0] = sequence &+ 2
    }

    /// Records that the thread has made progress. Only the row's own thread may call this.
    public func touch() {
        words[Self.progress] = monotonicNow()
    }

    /// Reads the state; `nil` if it changed during each of 100 attempts.
    public func read() -> State? {
        for _ in 0..<100 {
            let before = words[0]
            atomicMemoryFence(ordering: .acquiring)
            let copy = (0..<Self.words).map { words[$0] }
            atomicMemoryFence(ordering: .acquiring)
            if before & 1 == 0, words[0] == before { return Self.state(copy) }
            // The writer may be waiting for this processor.
            sched_yield()
        }
        return nil
    }

    private static func state(_ words: [UInt64]) -> State {
        let count = Int(min(words[5], UInt64(textLimit)))
        let text = (0..<count).map { UInt8(truncatingIfNeeded: words[textStart + $0 / 8] >> UInt64($0 % 8 * 8)) }
        var state = State(code: words[1], since: words[2], requestSince: words[3], requests: words[4], text: text)
        state.progress = words[progress]
        return state
    }
}

/// Nanoseconds of the machine's monotonic clock, which all processes share and nobody can set (clock_gettime(2),
/// CLOCK_MONOTONIC).
public func monotonicNow() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
