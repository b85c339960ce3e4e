import Glibc
import System
import SystemPackage

/// The kernel for one process. Each call may switch to another process; a call by a killed process has no effect and
/// fails.
final class SimulatedKernel: Kernel, @unchecked Sendable {
    // Safe to share: only the thread whose turn it is accesses it.

    private struct OpenFile {
        let node: SimulatedDisk.Node
        let number: Int
        let appends: Bool
        var position = 0
    }

    let processID: Int32
    private let machine: Machine
    private let actor: Actor
    private var files: [Int32: OpenFile] = [:]
    private var nextFile: Int32 = 3
    private(set) var isDead = false

    init(_ machine: Machine, _ actor: Actor) {
        self.machine = machine
        self.actor = actor
        processID = machine.newProcessID()
    }

    /// Ends the process as SIGKILL does: the kernel closes its files and drops its locks.
    func kill() {
        for file in files.keys.sorted() { release(file) }
        isDead = true
    }

    private func release(_ file: Int32) {
        guard let open = files.removeValue(forKey: file) else { return }
        open.node.locks[open.number] = nil
        if open.node.reservation == open.number { open.node.reservation = nil }
        open.node.openFiles -= 1
        machine.disk.releaseIfUnused(open.node)
    }

    /// - Parameter faults: errors that the call may fail with at random, without effect.
    private func enter(_ name: String, faults: Errno...) throws(Errno) {
        if let fault = try enterAtFault(name, faults) { throw fault }
    }

    /// Like ``enter(_:faults:)``, but returns the error instead of throwing it.
    private func enterAtFault(_ name: String, _ faults: [Errno]) throws(Errno) -> Errno? {
        guard !isDead else { throw .noSuchProcess }
        machine.scheduler.reach(actor)
        guard !isDead else { throw .noSuchProcess }
        machine.calls += 1
        if machine.tracesCalls { print("  [\(actor.number)] \(name)") }
        guard !faults.isEmpty, machine.isFaulty() else { return nil }
        let fault = machine.scheduler.random.pick(faults)
        if machine.tracesCalls { print("  [\(actor.number)]   fails with \(fault)") }
        return fault
    }

    /// Like ``enter(_:faults:)``, for a call that reads a file: a failed read counts as damage.
    private func enter(_ name: String, lookingAt node: @autoclosure () -> SimulatedDisk.Node?) throws(Errno) {
        guard let fault = try enterAtFault(name, [.ioError]) else { return }
        if let node = node() { machine.onReadError(node) }
        throw fault
    }

    private var clock: Int64 { machine.wallClock }

    private func open(_ file: Int32) throws(Errno) -> OpenFile {
        guard let open = files[file] else { throw .badFileDescriptor }
        return open
    }

    private func node(_ path: String, in folder: Int32) throws(Errno) -> SimulatedDisk.Node {
        guard let node = machine.disk.node(at: path, from: try base(folder)) else { throw .noSuchFileOrDirectory }
        return node
    }

    private func base(_ folder: Int32) throws(Errno) -> SimulatedDisk.Node {
        folder == AT_FDCWD ? machine.disk.root : try open(folder).node
    }

    /// The folder of a path, and the name in it.
    private func place(_ path: String, in folder: Int32) throws(Errno) -> (folder: SimulatedDisk.Node, name: [UInt8]) {
        var parts = path.utf8.split(separator: UInt8(ascii: "/")).map(Array.init)
        guard let name = parts.popLast() else { throw .invalidArgument }
        var node = try base(folder)
        for part in parts {
            guard let next = node.entries[part] else { throw .noSuchFileOrDirectory }
            guard next.isFolder else { throw .notDirectory }
            node = next
        }
        // Nothing can be created in a removed folder.
        guard node.links > 0 else { throw .noSuchFileOrDirectory }
        return (node, name)
    }

    private func add(_ node: SimulatedDisk.Node, _ flags: Int32) -> Int32 {
        nextFile += 1
        node.openFiles += 1
        machine.openFiles += 1
        files[nextFile] = OpenFile(node: node, number: machine.openFiles, appends: flags & O_APPEND != 0)
        return nextFile
    }

    // MARK: Open files

    func open(_ path: String, _ flags: Int32) throws(Errno) -> Int32 {
        try open(path, in: AT_FDCWD, flags, mode: 0)
    }

    func open(_ path: String, in folder: Int32, _ flags: Int32, mode: mode_t) throws(Errno) -> Int32 {
        if let fault = try enterAtFault("open \(path)", [.tooManyOpenFiles, .ioError]) {
            if fault == .ioError, let node = try? node(path, in: folder) { machine.onReadError(node) }
            throw fault
        }
        if path == "." || path == ".." { return add(try node(path, in: folder), flags) }
        let (parent, name) = try place(path, in: folder)
        if let node = parent.entries[name] {
            if flags & O_CREAT != 0, flags & O_EXCL != 0 { throw .fileExists }
            if flags & O_DIRECTORY != 0, !node.isFolder { throw .notDirectory }
            return add(node, flags)
        }
        guard flags & O_CREAT != 0 else { throw .noSuchFileOrDirectory }
        if machine.isFaulty() { throw .noSpace }
        let node = machine.disk.makeNode(isFolder: false, mode: mode, now: clock)
        machine.disk.change([(parent, name, node)], now: clock)
        return add(node, flags)
    }

    func close(_ file: Int32) {
        guard !isDead else { return }
        machine.scheduler.reach(actor)
        guard !isDead else { return }
        release(file)
    }

    func resolve(_ path: String) throws(Errno) -> String { path }

    // MARK: Content

    func read(_ file: Int32, into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Errno) -> Int {
        try enter("read", lookingAt: files[file]?.node)
        let content = try open(file).node.content
        guard offset < UInt64(content.count) else { return 0 }
        // A read may return fewer bytes than requested.
        var count = min(buffer.count, content.count - Int(offset))
        if count > 1, machine.scheduler.random.chance(1, of: 8) { count = 1 + machine.scheduler.random.below(count) }
        buffer.copyBytes(from: content[Int(offset)..<Int(offset) + count])
        return count
    }

    func write(_ file: Int32, _ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int {
        let open = try open(file)
        let count = try write(file, bytes, at: UInt64(open.appends ? open.node.content.count : open.position))
        files[file]?.position += count
        return count
    }

    func write(_ file: Int32, _ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(Errno) -> Int {
        try enter("write", faults: .noSpace, .ioError)
        let open = try open(file)
        let node = open.node
        // The file's end may have moved since.
        let offset = open.appends ? node.content.count : Int(offset)
        var count = bytes.count
        if count > 1, machine.scheduler.random.chance(1, of: 8) { count = 1 + machine.scheduler.random.below(count) }
        if node.content.count < offset + count {
            node.content += [UInt8](repeating: 0, count: offset + count - node.content.count)
        }
        node.content.replaceSubrange(offset..<offset + count, with: bytes[..<count])
        node.modified = Int(clock / 1_000_000)
        node.changed = clock
        return count
    }

    func truncate(_ file: Int32) throws(Errno) {
        try enter("truncate", faults: .ioError)
        let node = try open(file).node
        node.content = []
        node.isContentLost = false
    }

    func forgetCachedContent(of file: Int32) {}

    // MARK: Names

    func makeFolder(_ path: String, in folder: Int32, mode: mode_t) throws(Errno) {
        try enter("mkdir \(path)", faults: .noSpace, .ioError, .readOnlyFileSystem)
        let (parent, name) = try place(path, in: folder)
        guard parent.entries[name] == nil else { throw .fileExists }
        if machine.isFaulty() { throw .noSpace }
        machine.disk.change(
            [(parent, name, machine.disk.makeNode(isFolder: true, mode: mode, now: clock))],
            now: clock
        )
    }

    func link(_ file: Int32, to path: String, in folder: Int32) throws(Errno) {
        try enter("link to \(path)", faults: .noSpace, .ioError, .readOnlyFileSystem)
        let node = try open(file).node
        let (parent, name) = try place(path, in: folder)
        guard parent.entries[name] == nil else { throw .fileExists }
        guard node.links > 0 else { throw .noSuchFileOrDirectory }
        machine.disk.change([(parent, name, node)], now: clock)
    }

    func rename(_ path: String, in folder: Int32, to target: String, in targetFolder: Int32) throws(Errno) {
        try enter("rename \(path) to \(target)", faults: .noSpace, .ioError, .readOnlyFileSystem)
        let (source, name) = try place(path, in: folder)
        let (parent, newName) = try place(target, in: targetFolder)
        guard let node = source.entries[name] else { throw .noSuchFileOrDirectory }
        let replaced = parent.entries[newName]
        guard replaced !== node else { return }
        machine.disk.change([(source, name, nil), (parent, newName, node)], now: clock)
        if let replaced { machine.disk.releaseIfUnused(replaced) }
    }

    func unlink(_ path: String, in folder: Int32) throws(Errno) {
        try enter("unlink \(path)", faults: .ioError, .readOnlyFileSystem)
        let (parent, name) = try place(path, in: folder)
        guard let node = parent.entries[name] else { throw .noSuchFileOrDirectory }
        guard !node.isFolder else { throw .isDirectory }
        machine.disk.change([(parent, name, nil)], now: clock)
        machine.disk.releaseIfUnused(node)
    }

    func removeFolder(_ path: String, in folder: Int32) throws(Errno) {
        try enter("rmdir \(path)", faults: .ioError, .readOnlyFileSystem)
        let (parent, name) = try place(path, in: folder)
        guard let node = parent.entries[name] else { throw .noSuchFileOrDirectory }
        guard node.isFolder else { throw .notDirectory }
        guard node.entries.isEmpty else { throw .directoryNotEmpty }
        machine.disk.change([(parent, name, nil)], now: clock)
        machine.disk.releaseIfUnused(node)
    }

    func names(of folder: Int32) throws(Errno) -> [[UInt8]] {
        try enter("readdir", faults: .ioError)
        return machine.disk.shuffledNames(of: try open(folder).node)
    }

    // MARK: Attributes

    private func status(_ node: SimulatedDisk.Node) -> FileStatus {
        var status = stat()
        status.st_ino = ino_t(node.inode)
        status.st_mode = (node.isFolder ? S_IFDIR : S_IFREG) | node.mode
        status.st_nlink = nlink_t(node.links)
        status.st_size = node.content.count
        status.st_blocks = (node.content.count + 511) / 512
        status.st_mtim.tv_sec = node.modified
        status.st_ctim.tv_sec = Int(node.changed / 1_000_000)
        status.st_ctim.tv_nsec = Int(node.changed % 1_000_000) * 1000
        return FileStatus(status)
    }

    func status(of file: Int32) throws(Errno) -> FileStatus {
        try enter("fstat", lookingAt: files[file]?.node)
        return status(try open(file).node)
    }

    func status(of path: String, in folder: Int32) throws(Errno) -> FileStatus {
        try enter("stat \(path)", faults: .ioError)
        if path == "." { return status(try base(folder)) }
        // A path that an operator gave is absolute.
        let (parent, name) = try place(path, in: path.hasPrefix("/") ? AT_FDCWD : folder)
        guard let node = parent.entries[name] else { throw .noSuchFileOrDirectory }
        return status(node)
    }

    func setModified(_ file: Int32, to seconds: Int?) throws(Errno) {
        try enter("utimens", faults: .ioError, .readOnlyFileSystem)
        let node = try open(file).node
        node.modified = seconds ?? Int(clock / 1_000_000)
        node.isTimeLost = false
        node.changed = clock
    }

    func changeMode(of file: Int32, to mode: mode_t) throws(Errno) {
        try enter("chmod", faults: .ioError, .readOnlyFileSystem)
        try open(file).node.mode = mode
    }

    func changeMode(of path: String, in folder: Int32, to mode: mode_t) throws(Errno) {
        try enter("chmod \(path)", faults: .ioError, .readOnlyFileSystem)
        try node(path, in: folder).mode = mode
    }

    func changeOwner(of file: Int32, to user: uid_t, group: gid_t) throws(Errno) { try enter("chown") }
    func changeOwner(of path: String, in folder: Int32, to user: uid_t) throws(Errno) { try enter("chown") }
    func checkWritable(_ path: String, in folder: Int32?) throws(Errno) { try enter("access \(path)") }

    // MARK: Durability

    func synchronize(_ file: Int32) throws(Errno) {
        let fault = try enterAtFault("fsync", [.ioError, .noSpace])
        let node = try open(file).node
        if let fault {
            if !node.isFolder { machine.disk.lose(file: node, times: true) }
            throw fault
        }
        if node.isFolder {
            machine.disk.synchronize(folder: node)
        } else {
            machine.disk.synchronize(file: node, times: true)
        }
    }

    func synchronizeData(_ file: Int32) throws(Errno) {
        let fault = try enterAtFault("fdatasync", [.ioError, .noSpace])
        let node = try open(file).node
        if let fault {
            machine.disk.lose(file: node, times: false)
            throw fault
        }
        machine.disk.synchronize(file: node, times: false)
    }

    func synchronizeFileSystem(of file: Int32) throws(Errno) {
        try enter("syncfs", faults: .ioError)
        machine.disk.synchronizeAll()
    }

    // MARK: Locks

    func lock(_ file: Int32, _ kind: Int32) throws(Errno) -> Bool {
        try enter("flock \(kind)", faults: .noLocks)
        let open = try open(file)
        if kind == LOCK_UN {
            open.node.locks[open.number] = nil
            if open.node.reservation == open.number { open.node.reservation = nil }
            return true
        }
        // Converting a lock releases the old one first (flock(2)).
        open.node.locks[open.number] = nil
        let others = open.node.locks.values
        guard kind == LOCK_SH ? others.allSatisfy({ $0 == LOCK_SH }) : others.isEmpty else { return false }
        open.node.locks[open.number] = kind
        return true
    }

    func reserveLock(of file: Int32) throws(Errno) -> Bool {
        try enter("reserve lock")
        let open = try open(file)
        guard open.node.reservation == nil || open.node.reservation == open.number else { return false }
        open.node.reservation = open.number
        return true
    }

    func isLockReserved(of file: Int32) throws(Errno) -> Bool {
        try enter("is lock reserved")
        let open = try open(file)
        return open.node.reservation.map { $0 != open.number } ?? false
    }

    func lockHolders(of file: FileStatus.Identity) -> [Int32] { [] }
    func holdOffStops(_ isHeldOff: Bool) {}

    // MARK: Process and time

    func space(of file: Int32) throws(Errno) -> FileSystemSpace {
        try enter("statfs", faults: .ioError)
        var space = statvfs()
        (space.f_frsize, space.f_blocks, space.f_bavail) = (1, 1 << 40, 1 << 40)
        return FileSystemSpace(space)
    }

    func remoteFileSystem(of file: Int32) -> String? { nil }
    func openFileLimit() -> Int? { 1024 }
    func now() -> Int { Int(machine.wallClock / 1_000_000) }
    func uptime() -> Duration { .microseconds(machine.scheduler.time) }

    func sleep(_ duration: Duration) {
        guard !isDead else { return }
        actor.wakes = machine.scheduler.time + Int64(duration / .microseconds(1))
        machine.scheduler.reach(actor, mustYield: true)
    }

    func random() -> UInt64 { machine.scheduler.random.next() }
}

/// The state that all processes share.
final class Machine: @unchecked Sendable {
    // Safe to share: only the thread whose turn it is accesses it.
    let scheduler: Scheduler
    let disk: SimulatedDisk
    /// The error of the clock, in seconds.
    var clockError = 0 { didSet { clockChanges += 1 } }
    private(set) var clockChanges = 0
    /// The quota of each namespace, in bytes.
    var quotas: [UInt64?]
    var tracesCalls = false
    /// One in this many calls fails; zero means none.
    var faultRate = 0
    /// Called when a read of a file fails.
    var onReadError: (SimulatedDisk.Node) -> Void = { _ in }
    var calls = 0
    var openFiles = 0
    private var lastProcessID: Int32 = 100

    init(seed: UInt64) {
        scheduler = Scheduler(seed: seed &* 3 &+ 1)
        disk = SimulatedDisk(seed: seed &* 3 &+ 2)
        quotas = Simulation.universe.namespaces.map { _ in nil }
    }

    /// A time in 2026.
    static let epoch: Int64 = 1_790_000_000 * 1_000_000

    /// Microseconds since 1970, according to the clock.
    var wallClock: Int64 { Self.epoch + scheduler.time + Int64(clockError) * 1_000_000 }

    func newProcessID() -> Int32 {
        lastProcessID += 1
        return lastProcessID
    }

    func isFaulty() -> Bool { faultRate > 0 && scheduler.random.chance(1, of: faultRate) }
}
