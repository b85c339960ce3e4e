import CLinux
import Glibc
import Synchronization
import System
import SystemPackage

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
    private static let headBytes = 16
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
    private let descriptor: Int32
    private let words: Words
    private let own: Int
    /// One reader of this process at a time: they share the descriptor, and with it the lock.
    private let reading = Mutex(())

    /// Opens the pool's scoreboard, makes it when there is none, and takes a slot.
    ///
    /// - Parameters:
    ///   - folder: the pool's runtime folder; `nil` for memory that this process has alone.
    ///   - threads: how many threads this process has, at most ``maximumThreads``.
    /// - Throws: ``SystemCallError``, or ``ScoreboardError`` when the file can't be used, or every slot is taken.
    public init(in folder: String?, threads: Int) throws {
        precondition((0...Self.maximumThreads).contains(threads), "a process has a row for each thread")
        let path = folder.map { "\($0)/\(Self.name)" } ?? "memory"
        isShared = folder != nil
        descriptor = try folder == nil ? Self.openMemory() : Self.open(path)
        let size = Self.words * 8
        guard let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0), memory != MAP_FAILED
        else {
            let error = SystemCallError("map \(path)", Errno(rawValue: errno))
            close(descriptor)
            throw error
        }
        words = Words(memory, count: Self.words)
        do {
            try Self.lock(descriptor, Self.makerByte, F_WRLCK, "lock \(path)")
            try Self.prepare(words, descriptor, path)
            own = try Self.takeSlot(descriptor, path)
            try Self.reserve(own, threads, descriptor, path)
        } catch {
            munmap(memory, size)
            close(descriptor)
            throw error
        }
        begin(threads: threads)
        try Self.lock(descriptor, Self.makerByte, F_UNLCK, "unlock \(path)")
    }

    /// Makes the slot's head this process's. Under the maker's lock: whoever reads heads must not see a new process in
    /// the slot beside the old one's head.
    private func begin(threads: Int) {
        let head = head(own)
        if head[Head.running] != 0 { head.add(1, to: Head.deaths) }
        for thread in 0..<threads {
            row(thread, of: own)
                .write(ThreadRow.State(code: 0, since: monotonicNow(), requestSince: 0, requests: 0, text: []))
        }
        head[Head.pid] = UInt64(getpid())
        head[Head.started] = UInt64(time(nil))
        head[Head.threads] = UInt64(threads)
        head[Head.running] = 1
        head.add(1, to: Head.starts)
    }

    // The memory stays mapped and the slot taken until the process ends: rows and counters are in use until then.

    // MARK: This process

    /// Adds to a counter of this process.
    public func add(_ value: UInt64 = 1, to counter: Int) {
        precondition((0..<Self.counters).contains(counter), "there are so many counters")
        words.add(value, to: start(own) + Self.slotHead + counter)
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
        try Self.lock(descriptor, Self.leaderByte, F_WRLCK, "lead the pool")
    }

    // MARK: The pool

    /// A value that the pool has in common, zero at first.
    public subscript(value index: Int) -> UInt64 {
        get {
            precondition((0..<Self.values).contains(index), "there are so many values")
            return words[8 + index]
        }
        set {
            precondition((0..<Self.values).contains(index), "there are so many values")
            words[8 + index] = newValue
        }
    }

    /// What every process of the pool, also those that are gone, has counted.
    public func total(_ counter: Int) -> UInt64 {
        precondition((0..<Self.counters).contains(counter), "there are so many counters")
        return (0..<Self.maximumProcesses).reduce(0) { $0 &+ words[start($1) + Self.slotHead + counter] }
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
            try? Self.lock(descriptor, Self.makerByte, F_RDLCK, "lock the scoreboard")
            defer { try? Self.lock(descriptor, Self.makerByte, F_UNLCK, "unlock the scoreboard") }
            return read()
        }
    }

    // MARK: The file

    private func start(_ slot: Int) -> Int { Self.headWords + slot * Self.slotWords }

    private func head(_ slot: Int) -> Words { words.part(start(slot)..<start(slot) + Self.slotHead) }

    private func threads(of slot: Int) -> [ThreadRow.State] {
        let count = Int(min(head(slot)[Head.threads], UInt64(Self.maximumThreads)))
        return (0..<count).compactMap { row($0, of: slot).read() }
    }

    private func row(_ thread: Int, of slot: Int) -> ThreadRow {
        let start = start(slot) + Self.slotHead + Self.counters + thread * ThreadRow.words
        return ThreadRow(words.part(start..<start + ThreadRow.words))
    }

    private static func open(_ path: String) throws -> Int32 {
        try systemCall("open \(path)") { Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o660) }
    }

    private static func openMemory() throws -> Int32 {
        try systemCall("make memory for the scoreboard") { memory_file(name) }
    }

    /// Gives a file that is new its length and its head, and reserves what is read of every slot: a page that is touched
    /// first when the file system is full would end the process (SIGBUS), also by a read.
    private static func prepare(_ words: Words, _ descriptor: Int32, _ path: String) throws {
        var status = stat()
        try systemCall("stat \(path)") { fstat(descriptor, &status) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw ScoreboardError("\(path) is not a regular file") }
        let hasHead = status.st_size >= headBytes
        if hasHead { try allocate(descriptor, 0, headBytes, path) }
        // One without a head is new, or its maker could not finish it.
        let isNew = status.st_size == 0 || hasHead && words[0] == 0
        guard isNew || hasHead && words[0] == magic && status.st_size == words.count * 8 else {
            throw ScoreboardError("\(path) is no scoreboard of this version, stop the pool and remove it")
        }
        if isNew {
            try systemCall("lengthen \(path)") { ftruncate(descriptor, off_t(words.count * 8)) }
            // Nobody but the users of one pool gets into its folder: the umask is not needed.
            try systemCall("change the mode of \(path)") { fchmod(descriptor, 0o660) }
        }
        try allocate(descriptor, 0, headWords * 8, path)
        for slot in 0..<maximumProcesses {
            try allocate(descriptor, (headWords + slot * slotWords) * 8, (slotHead + counters) * 8, path)
        }
        if isNew {
            words[1] = UInt64(time(nil))
            words[0] = magic
        }
    }

    private static func takeSlot(_ descriptor: Int32, _ path: String) throws -> Int {
        for slot in 0..<maximumProcesses where tryLock(descriptor, slot) { return slot }
        throw ScoreboardError("\(path) has all of its \(maximumProcesses) processes, one more can't join the pool")
    }

    private static func reserve(
        _ slot: Int,
        _ threads: Int,
        _ descriptor: Int32,
        _ path: String
    ) throws {
        let words = slotHead + counters + threads * ThreadRow.words
        try allocate(descriptor, (headWords + slot * slotWords) * 8, words * 8, path)
    }

    private static func allocate(
        _ descriptor: Int32,
        _ start: Int,
        _ count: Int,
        _ path: String
    ) throws {
        var status: Int32
        repeat { status = posix_fallocate(descriptor, off_t(start), off_t(count)) } while status == EINTR
        guard status == 0 else {
            throw SystemCallError("reserve \(count) bytes of \(path)", Errno(rawValue: status))
        }
    }

    // MARK: Locks

    private static let makerByte = maximumProcesses
    private static let leaderByte = maximumProcesses + 1

    private static func range(_ byte: Int, _ type: Int32) -> flock {
        flock(l_type: Int16(type), l_whence: Int16(SEEK_SET), l_start: off_t(byte), l_len: 1, l_pid: 0)
    }

    private static func tryLock(_ descriptor: Int32, _ byte: Int) -> Bool {
        var range = range(byte, F_WRLCK)
        return fcntl(descriptor, LockCommand.set, &range) == 0
    }

    private static func lock(
        _ descriptor: Int32,
        _ byte: Int,
        _ type: Int32,
        _ action: String
    ) throws {
        var range = range(byte, type)
        try systemCall(action) { fcntl(descriptor, LockCommand.setOrWait, &range) }
    }

    /// Whether a process, this one or another, is in the slot.
    private func isTaken(_ slot: Int) -> Bool {
        var range = Self.range(slot, F_WRLCK)
        // A process sees no lock of its own descriptor.
        return slot == own || (fcntl(descriptor, LockCommand.get, &range) == 0 && range.l_type != Int16(F_UNLCK))
    }
}

/// fcntl(2)'s commands for locks of open file descriptions, which Swift's Glibc leaves out (asm-generic/fcntl.h).
private enum LockCommand {
    static let get: Int32 = 36
    static let set: Int32 = 37
    static let setOrWait: Int32 = 38
}
