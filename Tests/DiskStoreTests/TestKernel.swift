import Glibc
import Synchronization
import System
import SystemPackage

@testable import DiskStore

/// The kernel that this process runs on, except for what a test has it do otherwise.
final class TestKernel: Kernel {
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
    }

    private let linux = LinuxKernel.shared
    private let state = Mutex(State())

    /// By how many seconds its clock is ahead of the system's. Set, the clock jumps.
    var secondsAhead: Int {
        get { state.withLock { $0.ahead } }
        set { state.withLock { $0.ahead = newValue } }
    }

    /// What ``secondsAhead`` becomes as soon as the clock has been read.
    var secondsAheadOnceRead: Int? {
        get { state.withLock { $0.aheadOnceRead } }
        set { state.withLock { $0.aheadOnceRead = newValue } }
    }

    /// Lets time pass, on all clocks.
    func pass(_ seconds: Int) {
        state.withLock {
            $0.ahead += seconds
            $0.passed += .seconds(seconds)
        }
    }

    func uptime() -> Duration { linux.uptime() + state.withLock { $0.passed } }

    /// The end of the path of a folder whose names the disk does not give back (EIO).
    var unreadableFolder: String? {
        get { state.withLock { $0.unreadable } }
        set { state.withLock { $0.unreadable = newValue } }
    }

    /// Lets the next reads of objects fail with an error, or without one give bytes of which the first is wrong.
    func spoilReads(_ count: Int, _ error: Errno?) { state.withLock { $0.wrongReads = (count, error) } }

    func read(_ file: Int32, into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Errno) -> Int {
        let count = try linux.read(file, into: buffer, at: offset)
        guard count > 0, path(of: file).contains("/objects/") else { return count }
        let (isWrong, error) = state.withLock { state in
            defer { state.wrongReads.count = max(0, state.wrongReads.count - 1) }
            return (state.wrongReads.count > 0, state.wrongReads.error)
        }
        if isWrong, let error { throw error }
        if isWrong { buffer[0] ^= 1 }
        return count
    }

    /// How often a lock was asked for that another one had.
    var refusedLocks: Int { state.withLock { $0.refusedLocks } }

    func lock(_ file: Int32, _ kind: Int32) throws(Errno) -> Bool {
        let isLocked = try linux.lock(file, kind)
        if !isLocked { state.withLock { $0.refusedLocks += 1 } }
        return isLocked
    }

    func isLockReserved(of file: Int32) throws(Errno) -> Bool {
        let isReserved = try linux.isLockReserved(of: file)
        if isReserved { state.withLock { $0.refusedLocks += 1 } }
        return isReserved
    }

    /// Refuses longer names of new files than so many bytes, with an error.
    func refuseNames(over bytes: Int, _ error: Errno) {
        state.withLock { ($0.longestName, $0.nameError) = (bytes, error) }
    }

    /// Takes names for one that `fold` makes the same bytes of.
    func takeForOne(_ fold: @escaping @Sendable (String) -> String) { state.withLock { $0.folding = fold } }

    /// The paths of what was synced since this was last asked for, in order.
    func takeSynchronized() -> [String] {
        state.withLock { state in
            defer { state.synchronized = [] }
            return state.synchronized
        }
    }

    /// The path that an open file has now (proc(5)).
    private func path(of file: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/fd/\(file)", &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(0, count)).map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    func now() -> Int {
        state.withLock { state in
            defer {
                state.ahead = state.aheadOnceRead ?? state.ahead
                state.aheadOnceRead = nil
            }
            return linux.now() + state.ahead
        }
    }

    func setModified(_ file: Int32, to seconds: Int?) throws(Errno) {
        let ahead = secondsAhead
        try linux.setModified(file, to: seconds ?? (ahead == 0 ? nil : linux.now() + ahead))
    }

    func names(of folder: Int32) throws(Errno) -> [[UInt8]] {
        if let unreadable = unreadableFolder, path(of: folder).hasSuffix(unreadable) { throw .ioError }
        return try linux.names(of: folder)
    }

    func synchronize(_ file: Int32) throws(Errno) {
        let path = path(of: file)
        state.withLock { $0.synchronized.append(path) }
        try linux.synchronize(file)
    }

    func synchronizeData(_ file: Int32) throws(Errno) {
        let path = path(of: file)
        state.withLock { $0.synchronized.append(path) }
        try linux.synchronizeData(file)
    }
}

/// What stays as the kernel does it.
extension TestKernel {
    var processID: Int32 { linux.processID }
    func open(_ path: String, _ flags: Int32) throws(Errno) -> Int32 { try linux.open(path, flags) }
    func open(_ path: String, in folder: Int32, _ flags: Int32, mode: mode_t) throws(Errno) -> Int32 {
        let (longest, error) = state.withLock { ($0.longestName, $0.nameError) }
        let name = StoreLayout.parent(of: path).name
        if flags & O_CREAT != 0, name.utf8.count > longest { throw error }
        return try linux.open(path, in: folder, flags, mode: mode)
    }
    func close(_ file: Int32) { linux.close(file) }
    func resolve(_ path: String) throws(Errno) -> String { try linux.resolve(path) }
    func write(_ file: Int32, _ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int { try linux.write(file, bytes) }
    func write(_ file: Int32, _ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(Errno) -> Int {
        try linux.write(file, bytes, at: offset)
    }
    func truncate(_ file: Int32) throws(Errno) { try linux.truncate(file) }
    func forgetCachedContent(of file: Int32) { linux.forgetCachedContent(of: file) }
    func makeFolder(_ path: String, in folder: Int32, mode: mode_t) throws(Errno) {
        try linux.makeFolder(path, in: folder, mode: mode)
    }
    func link(_ file: Int32, to path: String, in folder: Int32) throws(Errno) {
        try linux.link(file, to: path, in: folder)
    }
    func rename(_ path: String, in folder: Int32, to target: String, in targetFolder: Int32) throws(Errno) {
        try linux.rename(path, in: folder, to: target, in: targetFolder)
    }
    func unlink(_ path: String, in folder: Int32) throws(Errno) { try linux.unlink(path, in: folder) }
    func removeFolder(_ path: String, in folder: Int32) throws(Errno) { try linux.removeFolder(path, in: folder) }
    func status(of file: Int32) throws(Errno) -> FileStatus { try linux.status(of: file) }
    func status(of path: String, in folder: Int32) throws(Errno) -> FileStatus {
        let parts = StoreLayout.parent(of: path)
        guard let fold = state.withLock({ $0.folding }), let parent = parts.folder else {
            return try linux.status(of: path, in: folder)
        }
        let names = try linux.open(parent, in: folder, O_RDONLY | O_DIRECTORY, mode: 0)
        defer { linux.close(names) }
        let same = try linux.names(of: names).first {
            Array(fold(String(decoding: $0, as: UTF8.self)).utf8) == Array(fold(parts.name).utf8)
        }
        guard let same else { throw .noSuchFileOrDirectory }
        return try linux.status(of: "\(parent)/\(String(decoding: same, as: UTF8.self))", in: folder)
    }
    func changeMode(of file: Int32, to mode: mode_t) throws(Errno) { try linux.changeMode(of: file, to: mode) }
    func changeMode(of path: String, in folder: Int32, to mode: mode_t) throws(Errno) {
        try linux.changeMode(of: path, in: folder, to: mode)
    }
    func changeOwner(of file: Int32, to user: uid_t, group: gid_t) throws(Errno) {
        try linux.changeOwner(of: file, to: user, group: group)
    }
    func changeOwner(of path: String, in folder: Int32, to user: uid_t) throws(Errno) {
        try linux.changeOwner(of: path, in: folder, to: user)
    }
    func checkWritable(_ path: String, in folder: Int32?) throws(Errno) { try linux.checkWritable(path, in: folder) }
    func synchronizeFileSystem(of file: Int32) throws(Errno) { try linux.synchronizeFileSystem(of: file) }
    func reserveLock(of file: Int32) throws(Errno) -> Bool { try linux.reserveLock(of: file) }
    func lockHolders(of file: FileStatus.Identity) -> [Int32] { linux.lockHolders(of: file) }
    func holdOffStops(_ isHeldOff: Bool) { linux.holdOffStops(isHeldOff) }
    func space(of file: Int32) throws(Errno) -> FileSystemSpace { try linux.space(of: file) }
    func remoteFileSystem(of file: Int32) -> String? { linux.remoteFileSystem(of: file) }
    func openFileLimit() -> Int? { linux.openFileLimit() }
    func sleep(_ duration: Duration) { linux.sleep(duration) }
    func random() -> UInt64 { linux.random() }
}
