import Glibc
import Synchronization
import System

/// Memory that the processes of a pool share: their counters and the states of their threads.
///
/// It is a file in the pool's runtime folder that every process maps. Each process has a slot, which it holds by locking one
/// byte of the file (fcntl(2), open file description locks); the kernel drops the lock however the process ends. A slot's
/// counters outlive its process, and the next process in the slot adds to them. So the counts of a killed process are kept,
/// and sums never decrease.
public final class Scoreboard: Sendable {
    /// The maximum number of processes.
    public static let maximumProcesses = 64
    /// The maximum number of threads of a process.
    public static let maximumThreads = 1024
    /// The number of counters of each process.
    public static let counters = 1000
    /// The number of values that the pool shares.
    public static let values = 16

    private static let slotHead = 24
    private static let slotWords = slotHead + counters + maximumThreads * ThreadRow.words
    private static let headWords = 8 + values
    private static let words = headWords + maximumProcesses * slotWords
    /// The file's head: the magic number and the time of creation.
    private static let head = 0..<2
    /// "lpspool2". Another layout needs another number and another file name: during an upgrade, processes of both versions
    /// run, each with the file of its own.
    private static let magic: UInt64 = 0x6C70_7370_6F6F_6C32
    private static let name = "scoreboard-2"

    /// The indices of the words in a slot's head.
    private enum Head {
        static let pid = 0
        static let started = 1
        static let threads = 2
        /// 1 from a process's start until it stops normally.
        static let running = 3
        static let starts = 4
        static let deaths = 5
    }

    /// Whether other processes can share the scoreboard.
    public let isShared: Bool
    private let file: SharedFile
    private let words: Words
    private let own: Int
    /// Admits one reader of this process at a time, because readers share the descriptor and so its lock.
    private let reading = Mutex(())

    // The memory stays mapped and the slot locked until the process ends: rows and counters are in use until then.

    /// Opens or creates the pool's scoreboard, and takes a slot.
    ///
    /// - Parameters:
    ///   - folder: the pool's runtime folder; `nil` for memory that is not shared.
    ///   - threads: the number of this process's threads, at most ``maximumThreads``.
    /// - Throws: `SystemCallError`, or ``ScoreboardError`` if the file can't be used or every slot is taken.
    public init(in folder: String?, threads: Int) throws {
        precondition((0...Self.maximumThreads).contains(threads), "a process has a row for each thread")
        isShared = folder != nil
        let file = try folder.map { try SharedFile(at: "\($0)/\(Self.name)") } ?? SharedFile(inMemory: Self.name)
        self.file = file
        words = try file.map(words: Self.words)
        do {
            try file.lock(Self.makerByte, F_WRLCK, "lock \(file.path)")
            try Self.prepare(words, file)
            own = try Self.takeSlot(threads, file)
        } catch {
            // A mapped file stays open and keeps its locks.
            words.unmap()
            throw error
        }
        begin(threads: threads)
        try file.lock(Self.makerByte, F_UNLCK, "unlock \(file.path)")
    }

    private static func takeSlot(_ threads: Int, _ file: SharedFile) throws -> Int {
        guard let slot = (0..<maximumProcesses).first(where: file.tryLock) else {
            let limit = maximumProcesses
            throw ScoreboardError("\(file.path) already has \(limit) processes, the limit of a pool")
        }
        let start = headWords + slot * slotWords
        try file.reserve(start..<start + slotHead + counters + threads * ThreadRow.words)
        return slot
    }

    /// Checks the file's head, or initializes a new file. Reserves disk space for the heads and counters of all slots.
    private static func prepare(_ words: Words, _ file: SharedFile) throws {
        let size = try file.size()
        let hasHead = size >= head.count * 8
        if hasHead { try file.reserve(head) }
        // A file without a head is new, or its creator died before writing it.
        let isNew = size == 0 || hasHead && words[0] == 0
        guard isNew || hasHead && words[0] == magic && size == words.count * 8 else {
            throw ScoreboardError("\(file.path) is not a scoreboard of this version: stop the pool and delete the file")
        }
        if isNew { try file.lengthen(to: words.count) }
        try file.reserve(0..<headWords)
        for slot in 0..<maximumProcesses {
            let start = headWords + slot * slotWords
            try file.reserve(start..<start + slotHead + counters)
        }
        if isNew {
            words[1] = UInt64(time(nil))
            words[0] = magic
        }
    }

    /// Writes this process's data into its slot's head. The caller holds the maker's lock, so that no reader sees the slot
    /// taken with the previous process's head.
    private func begin(threads: Int) {
        let head = head(own)
        if head[Head.running] != 0 { head.add(1, to: Head.deaths) }
        let now = monotonicNow()
        for thread in 0..<threads { row(thread).reset(at: now) }
        head[Head.pid] = UInt64(getpid())
        head[Head.started] = UInt64(time(nil))
        head[Head.threads] = UInt64(threads)
        head[Head.running] = 1
        head.add(1, to: Head.starts)
    }

    // MARK: This process

    /// Adds a value to a counter of this process.
    public func add(_ value: UInt64 = 1, to counter: Int) {
        words.add(value, to: word(of: counter, in: own))
    }

    /// The row of a thread of this process, to write its state to.
    public func row(_ thread: Int) -> ThreadRow {
        row(thread, of: own)
    }

    /// The states of this process's threads, except of a thread whose row changed during every attempt to read it.
    public var ownThreads: [ThreadRow.State] { threads(of: own) }

    /// Records that this process stops normally. A process that ends without this call counts as a death.
    public func finish() {
        head(own)[Head.running] = 0
    }

    /// Waits until this process becomes the pool's leader, which it remains until it ends.
    public func lead() throws {
        try file.lock(Self.leaderByte, F_WRLCK, "lead the pool")
    }

    // MARK: The pool

    /// A value that the pool shares; initially zero.
    public subscript(value index: Int) -> UInt64 {
        get { words[word(ofValue: index)] }
        set { words[word(ofValue: index)] = newValue }
    }

    /// The sum of a counter over all processes of the pool, including ended ones.
    public func total(_ counter: Int) -> UInt64 {
        (0..<Self.maximumProcesses).reduce(0) { $0 &+ words[word(of: counter, in: $1)] }
    }

    /// When the pool's first process created the scoreboard, in seconds since 1970.
    public var created: UInt64 { words[1] }

    /// The number of processes ever started, and of those that replaced an earlier one.
    public var starts: (all: UInt64, again: UInt64) {
        let starts = (0..<Self.maximumProcesses).map { head($0)[Head.starts] }
        return (starts.reduce(0, &+), starts.reduce(0) { $0 &+ ($1 > 0 ? $1 - 1 : 0) })
    }

    /// The number of processes that were killed or crashed.
    public var deaths: UInt64 {
        whileNoneBegins {
            (0..<Self.maximumProcesses).reduce(0) { deaths, slot in
                let head = head(slot)
                let isDead = !isTaken(slot) && head[Head.running] != 0
                return deaths &+ head[Head.deaths] &+ (isDead ? 1 : 0)
            }
        }
    }

    /// A running process.
    public struct PoolProcess: Sendable {
        /// The process id.
        public let pid: UInt64
        /// When the process started, in seconds since 1970.
        public let started: UInt64
        /// The states of its threads, except of a thread whose row changed during every attempt to read it.
        public let threads: [ThreadRow.State]
    }

    /// The running processes of the pool.
    public var processes: [PoolProcess] {
        whileNoneBegins {
            (0..<Self.maximumProcesses).compactMap { slot in
                let head = head(slot)
                guard head[Head.running] != 0, isTaken(slot) else { return nil }
                return PoolProcess(pid: head[Head.pid], started: head[Head.started], threads: threads(of: slot))
            }
        }
    }

    /// Reads heads while no process takes a slot.
    private func whileNoneBegins<Output>(_ read: () -> Output) -> Output {
        // If locking fails, read anyway: heads may be inconsistent for a moment, which is better than no figures.
        reading.withLock { _ in
            try? file.lock(Self.makerByte, F_RDLCK, "lock the scoreboard")
            defer { try? file.lock(Self.makerByte, F_UNLCK, "unlock the scoreboard") }
            return read()
        }
    }

    // MARK: The file

    private static let makerByte = maximumProcesses
    private static let leaderByte = maximumProcesses + 1

    /// Whether this or another process holds the slot.
    private func isTaken(_ slot: Int) -> Bool { slot == own || file.isLocked(slot) }

    private func start(_ slot: Int) -> Int { Self.headWords + slot * Self.slotWords }

    private func word(ofValue index: Int) -> Int {
        precondition((0..<Self.values).contains(index), "a value's index is in range")
        return 8 + index
    }

    private func word(of counter: Int, in slot: Int) -> Int {
        precondition((0..<Self.counters).contains(counter), "a counter's index is in range")
        return start(slot) + Self.slotHead + counter
    }

    private func head(_ slot: Int) -> Words { words.part(start(slot)..<start(slot) + Self.slotHead) }

    private func threads(of slot: Int) -> [ThreadRow.State] {
        let count = Int(min(head(slot)[Head.threads], UInt64(Self.maximumThreads)))
        return (0..<count).compactMap { row($0, of: slot).read() }
    }

    private func row(_ thread: Int, of slot: Int) -> ThreadRow {
        let start = start(slot) + Self.slotHead + Self.counters + thread * ThreadRow.words
        return ThreadRow(words.part(start..<start + ThreadRow.words))
    }
}

/// The scoreboard's file can't be used, although no system call failed.
public struct ScoreboardError: Error, CustomStringConvertible, Sendable {
    /// One line for the log.
    public let description: String

    init(_ description: String) { self.description = description }
}
