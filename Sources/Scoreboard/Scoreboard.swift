import Glibc
import Synchronization

/// Memory that the processes of a pool share: what each has counted, and what each of its threads is doing.
///
/// A file in the pool's runtime folder, mapped by every process. Each process has a slot, which it holds by a lock on
/// one byte of the file (fcntl(2), open file description locks): the kernel drops it however the process ends. The
/// counters of a slot outlive its process, and the next one in the slot counts on: what a killed process has counted
/// stays counted, and no sum goes backwards.
public final class Scoreboard: Sendable {
    /// How many processes may share a scoreboard.
    public static let maximumProcesses = 64
    /// How many threads a process may have.
    public static let maximumThreads = 1024
    /// How many counters each process has.
    public static let counters = 1000
    /// How many values the pool has in common.
    public static let values = 16

    private static let slotHead = 24
    private static let slotWords = slotHead + counters + maximumThreads * ThreadRow.words
    private static let headWords = 8 + values
    private static let words = headWords + maximumProcesses * slotWords
    /// The magic number and the time.
    private static let head = 0..<2
    /// "lpspool1": another layout gets another number, and a file name of its own.
    private static let magic: UInt64 = 0x6C70_7370_6F6F_6C31
    private static let name = "scoreboard-1"

    /// The words of a slot's head.
    private enum Head {
        static let pid = 0
        static let started = 1
        static let threads = 2
        /// 1 while a process is in the slot that has not ended as it should.
        static let running = 3
        static let starts = 4
        static let deaths = 5
    }

    /// Whether other processes may have it, too.
    public let isShared: Bool
    private let file: SharedFile
    private let words: Words
    private let own: Int
    /// One reader of this process at a time: they share the descriptor, and with it the lock.
    private let reading = Mutex(())

    // The memory stays mapped, and the slot taken, until the process ends: rows and counters are in use until then.

    /// Opens the pool's scoreboard, makes it when there is none, and takes a slot.
    ///
    /// - Parameters:
    ///   - folder: the pool's runtime folder; `nil` for memory that this process has alone.
    ///   - threads: how many threads this process has, at most ``maximumThreads``.
    /// - Throws: ``SystemCallError``, or ``ScoreboardError`` when the file can't be used, or every slot is taken.
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
            // A file that is mapped stays open, and its locks stay with it.
            words.unmap()
            throw error
        }
        begin(threads: threads)
        try file.lock(Self.makerByte, F_UNLCK, "unlock \(file.path)")
    }

    private static func takeSlot(_ threads: Int, _ file: SharedFile) throws -> Int {
        guard let slot = (0..<maximumProcesses).first(where: file.tryLock) else {
            let limit = maximumProcesses
            throw ScoreboardError("\(file.path) has all of its \(limit) processes, one more can't join the pool")
        }
        let start = headWords + slot * slotWords
        try file.reserve(start..<start + slotHead + counters + threads * ThreadRow.words)
        return slot
    }

    /// Gives a file that is new its length and its head, and reserves what is read of every slot.
    private static func prepare(_ words: Words, _ file: SharedFile) throws {
        let size = try file.size()
        let hasHead = size >= head.count * 8
        if hasHead { try file.reserve(head) }
        // One without a head is new, or its maker could not finish it.
        let isNew = size == 0 || hasHead && words[0] == 0
        guard isNew || hasHead && words[0] == magic && size == words.count * 8 else {
            throw ScoreboardError("\(file.path) is no scoreboard of this version, stop the pool and remove it")
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

    /// Makes the slot's head this process's. Under the maker's lock: whoever reads heads must not see a new process in
    /// the slot beside the old one's head.
    private func begin(threads: Int) {
        let head = head(own)
        if head[Head.running] != 0 { head.add(1, to: Head.deaths) }
        let idle = ThreadRow.State(code: 0, since: monotonicNow(), requestSince: 0, requests: 0, text: [])
        for thread in 0..<threads { row(thread).write(idle) }
        head[Head.pid] = UInt64(getpid())
        head[Head.started] = UInt64(time(nil))
        head[Head.threads] = UInt64(threads)
        head[Head.running] = 1
        head.add(1, to: Head.starts)
    }

    // MARK: This process

    /// Adds to a counter of this process.
    public func add(_ value: UInt64 = 1, to counter: Int) {
        words.add(value, to: word(of: counter, in: own))
    }

    /// The row of one of this process's threads.
    public func row(_ thread: Int) -> ThreadRow {
        row(thread, of: own)
    }

    /// What this process's threads are doing; without one that changed every time it was looked at.
    public var ownThreads: [ThreadRow.State] { threads(of: own) }

    /// Says that this process ends as it should; one that has not said so counts as a death.
    public func finish() {
        head(own)[Head.running] = 0
    }

    /// Waits until no other process of the pool leads it, and leads it until this process ends.
    public func lead() throws {
        try file.lock(Self.leaderByte, F_WRLCK, "lead the pool")
    }

    // MARK: The pool

    /// A value that the pool has in common, zero at first.
    public subscript(value index: Int) -> UInt64 {
        get { words[word(ofValue: index)] }
        set { words[word(ofValue: index)] = newValue }
    }

    /// What every process of the pool, also those that are gone, has counted.
    public func total(_ counter: Int) -> UInt64 {
        (0..<Self.maximumProcesses).reduce(0) { $0 &+ words[word(of: counter, in: $1)] }
    }

    /// When the pool's first process made the scoreboard, in seconds since 1970.
    public var created: UInt64 { words[1] }

    /// How many processes were ever started, and how many of them took the place of another.
    public var starts: (all: UInt64, again: UInt64) {
        let starts = (0..<Self.maximumProcesses).map { head($0)[Head.starts] }
        return (starts.reduce(0, &+), starts.reduce(0) { $0 &+ ($1 > 0 ? $1 - 1 : 0) })
    }

    /// How many processes ended otherwise than by stopping: killed, or crashed.
    public var deaths: UInt64 {
        whileNoneBegins {
            (0..<Self.maximumProcesses).reduce(0) { deaths, slot in
                let head = head(slot)
                let isDead = !isTaken(slot) && head[Head.running] != 0
                return deaths &+ head[Head.deaths] &+ (isDead ? 1 : 0)
            }
        }
    }

    /// A process that is running.
    public struct PoolProcess: Sendable {
        /// Its id.
        public let pid: UInt64
        /// When it started, in seconds since 1970.
        public let started: UInt64
        /// What its threads are doing; without one that changed every time it was looked at.
        public let threads: [ThreadRow.State]
    }

    /// The processes that are running.
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
        // Without the lock, what is read may be a moment's mixture, which is better than nothing.
        reading.withLock { _ in
            try? file.lock(Self.makerByte, F_RDLCK, "lock the scoreboard")
            defer { try? file.lock(Self.makerByte, F_UNLCK, "unlock the scoreboard") }
            return read()
        }
    }

    // MARK: The file

    private static let makerByte = maximumProcesses
    private static let leaderByte = maximumProcesses + 1

    /// Whether a process, this one or another, is in the slot.
    private func isTaken(_ slot: Int) -> Bool { slot == own || file.isLocked(slot) }

    private func start(_ slot: Int) -> Int { Self.headWords + slot * Self.slotWords }

    private func word(ofValue index: Int) -> Int {
        precondition((0..<Self.values).contains(index), "there are so many values")
        return 8 + index
    }

    private func word(of counter: Int, in slot: Int) -> Int {
        precondition((0..<Self.counters).contains(counter), "there are so many counters")
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

/// Why a pool's shared memory can't be used, where no system call failed.
public struct ScoreboardError: Error, CustomStringConvertible, Sendable {
    /// One line.
    public let description: String

    init(_ description: String) { self.description = description }
}
