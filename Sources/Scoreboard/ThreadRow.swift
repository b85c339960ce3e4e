import Glibc
import Synchronization

/// What one thread is doing, as every process of the pool can see it.
///
/// One thread writes, anyone reads: the first word is odd while a change is under way, and differs after it (a
/// "seqlock"), so that a reader notices a change and reads again.
public struct ThreadRow: Sendable {
    static let words = 64
    private static let progress = 6
    private static let textStart = 7
    /// Bytes that the text may have; what is longer is cut.
    public static let textLimit = (words - textStart) * 8

    private let words: Words

    init(_ words: Words) {
        self.words = words
    }

    /// What a thread is doing.
    public struct State: Equatable, Sendable {
        /// A number that the pool gives a meaning; zero is idle.
        public var code: UInt64
        /// Since when, in nanoseconds of ``monotonicNow()``.
        public var since: UInt64
        /// Since when it has its request; zero while it has none.
        public var requestSince: UInt64
        /// When it has last got on with its work; a change of state is one, too.
        public var progress: UInt64
        /// How many requests it has ended.
        public var requests: UInt64
        /// What the request is about.
        public var text: [UInt8]

        /// Makes a state.
        public init(code: UInt64, since: UInt64, requestSince: UInt64, requests: UInt64, text: [UInt8]) {
            progress = since
            self.code = code
            self.since = since
            self.requestSince = requestSince
            self.requests = requests
            self.text = text
        }
    }

    /// Writes the state. Only the thread that the row belongs to may.
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

    /// Says that the thread gets on with its work.
    public func touch() {
        words[Self.progress] = monotonicNow()
    }

    /// Reads the state. `nil` when it changed every time that it was looked at.
    public func read() -> State? {
        for _ in 0..<100 {
            let before = words[0]
            atomicMemoryFence(ordering: .acquiring)
            let copy = (0..<Self.words).map { words[$0] }
            atomicMemoryFence(ordering: .acquiring)
            if before & 1 == 0, words[0] == before { return Self.state(copy) }
            // The writer may wait for this processor.
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

/// Nanoseconds of the clock that every process of the machine shares and nobody sets (clock_gettime(2),
/// CLOCK_MONOTONIC).
public func monotonicNow() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
