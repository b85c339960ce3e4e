import Glibc
import Synchronization

/// A thread's row in the scoreboard: its state, which every process of the pool can read.
///
/// Only the thread itself changes its row. The first word is odd during a change, and has a new value after it (a "seqlock"),
/// so that readers notice a change and read again. The row holds the request's bytes as they came: readers format them.
///
/// Times are nanoseconds of the machine's monotonic clock (CLOCK_MONOTONIC). The pool defines the codes of
/// activities; zero is idle.
public struct ThreadRow: Sendable {
    static let words = 64

    /// The words that hold numbers.
    private enum Word {
        static let sequence = 0
        static let code = 1
        static let since = 2
        static let requestSince = 3
        static let requests = 4
        static let progress = 5
        /// 1 if the four words after it are a digest.
        static let hasDigest = 53
    }

    /// Bytes of the request: their number is in one word of the row, the bytes are in the words after it.
    private struct Field {
        let word: Int
        /// The maximum number of bytes; others are cut off.
        let limit: Int

        static let method = Field(word: 6, limit: 16)
        static let path = Field(word: 9, limit: 64)
        static let id = Field(word: 18, limit: 64)
        static let namespace = Field(word: 27, limit: 200)
    }

    private let words: Words

    init(_ words: Words) {
        self.words = words
    }

    // MARK: The thread's changes

    /// Clears the row of a thread that has not served any request.
    func reset(at now: UInt64) {
        change {
            for word in Word.code..<Self.words { words[word] = 0 }
            enter(0, now)
        }
    }

    /// Records that the thread has accepted a request.
    public func begin(_ code: UInt64, at now: UInt64) {
        change {
            words[Word.requestSince] = now
            enter(code, now)
        }
    }

    /// Records what the thread's request is.
    public func describe(method: Span<UInt8>, path: Span<UInt8>) {
        change {
            store(method, .method)
            store(path, .path)
        }
    }

    /// Records the web server's id for the thread's request.
    public func describe(id: Span<UInt8>) { change { store(id, .id) } }

    /// Records the namespace of the thread's request.
    public func describe(namespace: Span<UInt8>) { change { store(namespace, .namespace) } }

    /// Records the digest of the thread's request.
    public func describe(digest: SIMD4<UInt64>) {
        change {
            for index in digest.indices { words[Word.hasDigest + 1 + index] = digest[index] }
            words[Word.hasDigest] = 1
        }
    }

    /// Records that the thread begins another activity.
    public func turn(to code: UInt64, at now: UInt64) { change { enter(code, now) } }

    /// Records that the thread has made progress.
    public func touch(at now: UInt64) { words[Word.progress] = now }

    /// Records that the thread has finished its request, and forgets the request.
    public func end(_ code: UInt64, at now: UInt64) {
        change {
            words[Word.requestSince] = 0
            words[Word.requests] += 1
            for field in [Field.method, .path, .id, .namespace] { words[field.word] = 0 }
            words[Word.hasDigest] = 0
            enter(code, now)
        }
    }

    private func enter(_ code: UInt64, _ now: UInt64) {
        words[Word.code] = code
        words[Word.since] = now
        words[Word.progress] = now
    }

    private func store(_ bytes: Span<UInt8>, _ field: Field) {
        let kept = bytes.extracting(first: field.limit)
        words[field.word] = UInt64(kept.count)
        words.store(kept, at: field.word + 1)
    }

    /// Makes changes that readers see together.
    private func change(_ make: () -> Void) {
        // Even after a process that died during a change.
        let sequence = words[Word.sequence] & ~1
        words[Word.sequence] = sequence &+ 1
        atomicMemoryFence(ordering: .releasing)
        make()
        atomicMemoryFence(ordering: .releasing)
        words[Word.sequence] = sequence &+ 2
    }

    // MARK: Reading

    /// A thread's state.
    public struct State: Equatable, Sendable {
        /// The activity's code.
        public var code: UInt64 = 0
        /// When the activity started.
        public var since: UInt64 = 0
        /// When the thread's request started; zero if it has none.
        public var requestSince: UInt64 = 0
        /// When the thread last made progress or changed its activity.
        public var progress: UInt64 = 0
        /// The number of requests that the thread has finished.
        public var requests: UInt64 = 0
        /// The first bytes of the request's method, not validated; empty if it is not known.
        public var method: [UInt8] = []
        /// The first bytes of the request's path, as the method.
        public var path: [UInt8] = []
        /// The web server's id for the request, as the method.
        public var id: [UInt8] = []
        /// The request's namespace; empty if it is not known.
        public var namespace: [UInt8] = []
        /// The request's digest as big-endian numbers; `nil` if it is not known.
        public var digest: SIMD4<UInt64>?

        /// Makes the state of a thread that has served no request.
        public init() {}
    }

    /// Reads the state; `nil` if it changed during each of 100 attempts.
    public func read() -> State? {
        for _ in 0..<100 {
            let before = words[Word.sequence]
            atomicMemoryFence(ordering: .acquiring)
            let copy = (0..<Self.words).map { words[$0] }
            atomicMemoryFence(ordering: .acquiring)
            if before & 1 == 0, words[Word.sequence] == before { return Self.state(copy) }
            // The writer may be waiting for this processor.
            sched_yield()
        }
        return nil
    }

    private static func state(_ words: [UInt64]) -> State {
        var state = State()
        state.code = words[Word.code]
        state.since = words[Word.since]
        state.requestSince = words[Word.requestSince]
        state.progress = words[Word.progress]
        state.requests = words[Word.requests]
        state.method = bytes(.method, words)
        state.path = bytes(.path, words)
        state.id = bytes(.id, words)
        state.namespace = bytes(.namespace, words)
        if words[Word.hasDigest] != 0 {
            let first = Word.hasDigest + 1
            state.digest = SIMD4(words[first], words[first + 1], words[first + 2], words[first + 3])
        }
        return state
    }

    private static func bytes(_ field: Field, _ words: [UInt64]) -> [UInt8] {
        let count = Int(min(words[field.word], UInt64(field.limit)))
        return Words.bytes(words[(field.word + 1)...], count: count)
    }
}
