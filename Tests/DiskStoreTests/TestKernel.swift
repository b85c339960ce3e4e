import Glibc
import Synchronization
import SystemPackage

@testable import DiskStore
@testable import System

/// The real kernel, with faults and delays that a test injects.
final class TestKernel: LinuxKernel, @unchecked Sendable {
    // Safe to share: a mutex guards the mutable state.
    private struct State {
        var ahead = 0
        var aheadOnceRead: Int?
        var passed = Duration.zero
        var unreadable: String?
        var refusedLocks = 0
        var wrongReads: (count: Int, error: Errno?) = (0, nil)
        var synchronized: [String] = []
        var longestName = 255
        var nameError = Errno.fileNameTooLong
        var folding: (@Sendable (String) -> String)?
        var space: FileSystemSpace?
        var spaceLooks = 0
    }

    private let state = Mutex(State())

    /// The current path of an open file (proc(5)).
    private func path(of file: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/fd/\(file)", &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(0, count)).map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    // MARK: Time

    /// How many seconds the clock is ahead of the system's; setting it makes the clock jump.
    var secondsAhead: Int {
        get { state.withLock { $0.ahead } }
        set { state.withLock { $0.ahead = newValue } }
    }

    /// Sets ``secondsAhead`` after the next reading of the clock.
    func jumpOnceRead(to seconds: Int) { state.withLock { $0.aheadOnceRead = seconds } }

    func pass(_ seconds: Int) {
        state.withLock {
            $0.ahead += seconds
            $0.passed += .seconds(seconds)
        }
    }

    override func uptime() -> Duration { super.uptime() + state.withLock { $0.passed } }

    override func now() -> Int {
        super.now()
            + state.withLock { state in
                defer {
                    state.ahead = state.aheadOnceRead ?? state.ahead
                    state.aheadOnceRead = nil
                }
                return state.ahead
            }
    }

    override func setModified(_ file: Int32, to seconds: Int?) throws(Errno) {
        let ahead = secondsAhead
        try super.setModified(file, to: seconds ?? (ahead == 0 ? nil : super.now() + ahead))
    }

    // MARK: Reads

    /// Makes listing fail with EIO for folders whose path ends in `folder`; `nil` makes all readable again.
    func makeUnreadable(_ folder: String?) { state.withLock { $0.unreadable = folder } }

    override func names(of folder: Int32) throws(Errno) -> [[UInt8]] {
        if let unreadable = state.withLock({ $0.unreadable }), path(of: folder).hasSuffix(unreadable) {
            throw .ioError
        }
        return try super.names(of: folder)
    }

    /// Makes the next reads of objects fail with an error, or return a wrong first byte if `error` is `nil`.
    func spoilReads(_ count: Int, _ error: Errno?) { state.withLock { $0.wrongReads = (count, error) } }

    override func read(_ file: Int32, into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Errno)
        -> Int
    {
        let count = try super.read(file, into: buffer, at: offset)
        guard count > 0, path(of: file).contains("/objects/") else { return count }
        let (isWrong, error) = state.withLock { state in
            defer { state.wrongReads.count = max(0, state.wrongReads.count - 1) }
            return (state.wrongReads.count > 0, state.wrongReads.error)
        }
        if isWrong, let error { throw error }
        if isWrong { buffer[0] ^= 1 }
        return count
    }

    // MARK: Locks

    /// How often a lock could not be taken because another holder or a reservation was in the way.
    var refusedLocks: Int { state.withLock { $0.refusedLocks } }

    override func lock(_ file: Int32, _ kind: Int32) throws(Errno) -> Bool {
        let isLocked = try super.lock(file, kind)
        if !isLocked { state.withLock { $0.refusedLocks += 1 } }
        return isLocked
    }

    override func isLockReserved(of file: Int32) throws(Errno) -> Bool {
        let isReserved = try super.isLockReserved(of: file)
        if isReserved { state.withLock { $0.refusedLocks += 1 } }
        return isReserved
    }

    // MARK: Names

    /// Makes creating a file fail with `error` if its name is longer than `bytes`.
    func refuseNames(over bytes: Int, _ error: Errno) {
        state.withLock { ($0.longestName, $0.nameError) = (bytes, error) }
    }

    override func open(_ path: String, in folder: Int32, _ flags: Int32, mode: mode_t) throws(Errno) -> Int32 {
        let (longest, error) = state.withLock { ($0.longestName, $0.nameError) }
        if flags & O_CREAT != 0, StoreLayout.parent(of: path).name.utf8.count > longest { throw error }
        return try super.open(path, in: folder, flags, mode: mode)
    }

    /// Treats names that `fold` maps to the same bytes as the same file.
    func takeForOne(_ fold: @escaping @Sendable (String) -> String) { state.withLock { $0.folding = fold } }

    override func status(of path: String, in folder: Int32) throws(Errno) -> FileStatus {
        let parts = StoreLayout.parent(of: path)
        guard let fold = state.withLock({ $0.folding }), let parent = parts.folder else {
            return try super.status(of: path, in: folder)
        }
        let names = try super.open(parent, in: folder, O_RDONLY | O_DIRECTORY, mode: 0)
        defer { close(names) }
        let same = try super.names(of: names).first {
            Array(fold(String(decoding: $0, as: UTF8.self)).utf8) == Array(fold(parts.name).utf8)
        }
        guard let same else { throw .noSuchFileOrDirectory }
        return try super.status(of: "\(parent)/\(String(decoding: same, as: UTF8.self))", in: folder)
    }

    // MARK: Space

    /// The space to report; `nil` for the file system's.
    var space: FileSystemSpace? {
        get { state.withLock { $0.space } }
        set { state.withLock { $0.space = newValue } }
    }

    /// How often the space was asked for.
    var spaceLooks: Int { state.withLock { $0.spaceLooks } }

    override func space(of file: Int32) throws(Errno) -> FileSystemSpace {
        let reported = state.withLock { state in
            state.spaceLooks += 1
            return state.space
        }
        if let reported { return reported }
        return try super.space(of: file)
    }

    // MARK: Durability

    /// Returns the paths that were synced since the last call, in order.
    func takeSynchronized() -> [String] {
        state.withLock { state in
            defer { state.synchronized = [] }
            return state.synchronized
        }
    }

    override func synchronize(_ file: Int32) throws(Errno) {
        let path = path(of: file)
        state.withLock { $0.synchronized.append(path) }
        try super.synchronize(file)
    }

    override func synchronizeData(_ file: Int32) throws(Errno) {
        let path = path(of: file)
        state.withLock { $0.synchronized.append(path) }
        try super.synchronizeData(file)
    }
}
