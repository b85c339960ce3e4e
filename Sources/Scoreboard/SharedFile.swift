import CLinux
import Glibc
import System
import SystemPackage

/// A file that several processes map into memory, and whose bytes they lock with open file description locks (fcntl(2)). The
/// kernel drops these locks however a process ends.
struct SharedFile: Sendable {
    let path: String
    private let descriptor: OwnedDescriptor

    /// Opens a file, or creates an empty one.
    init(at path: String) throws {
        self.path = path
        descriptor = try OwnedDescriptor("open \(path)") {
            Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o660)
        }
    }

    /// Creates a file in memory, which no other process shares.
    init(inMemory name: String) throws {
        path = "memory"
        descriptor = try OwnedDescriptor("create memory for the scoreboard") { memory_file(name) }
    }

    /// Maps a number of words until the process ends, even if the file is shorter.
    func map(words: Int) throws -> Words {
        let memory = mmap(nil, words * 8, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.number, 0)
        guard let memory, memory != MAP_FAILED else { throw SystemCallError("map \(path)", Errno(rawValue: errno)) }
        return Words(memory, count: words)
    }

    /// The file's size in bytes.
    ///
    /// - Throws: ``ScoreboardError`` if it is not a regular file.
    func size() throws -> Int {
        var status = stat()
        try systemCall("stat \(path)") { fstat(descriptor.number, &status) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw ScoreboardError("\(path) is not a regular file") }
        return status.st_size
    }

    /// Extends the file, and makes it accessible to its owner and group.
    func lengthen(to words: Int) throws {
        try systemCall("lengthen \(path)") { ftruncate(descriptor.number, off_t(words * 8)) }
        // Overrides the umask: only the pool's users can enter its folder.
        try systemCall("change the mode of \(path)") { fchmod(descriptor.number, 0o660) }
    }

    /// Reserves disk space for words. Otherwise the first read or write of a page on a full file system would kill the process
    /// with SIGBUS.
    func reserve(_ words: Range<Int>) throws {
        let count = words.count * 8
        var status: Int32
        repeat {
            status = posix_fallocate(descriptor.number, off_t(words.lowerBound * 8), off_t(count))
        } while status == EINTR
        guard status == 0 else { throw SystemCallError("reserve \(count) bytes of \(path)", Errno(rawValue: status)) }
    }

    // MARK: Locks

    /// The fcntl(2) commands of these locks, which Swift's Glibc lacks (asm-generic/fcntl.h).
    private enum Command {
        static let get: Int32 = 36
        static let set: Int32 = 37
        static let setOrWait: Int32 = 38
    }

    /// Waits for a lock on a byte, or drops it.
    ///
    /// - Parameter type: `F_RDLCK`, `F_WRLCK` or `F_UNLCK`.
    func lock(_ byte: Int, _ type: Int32, _ action: String) throws {
        var range = range(byte, type)
        try systemCall(action) { fcntl(descriptor.number, Command.setOrWait, &range) }
    }

    func tryLock(_ byte: Int) -> Bool {
        var range = range(byte, F_WRLCK)
        return fcntl(descriptor.number, Command.set, &range) == 0
    }

    /// Whether another process has locked a byte; locks of this descriptor are not seen.
    func isLocked(_ byte: Int) -> Bool {
        var range = range(byte, F_WRLCK)
        return fcntl(descriptor.number, Command.get, &range) == 0 && range.l_type != Int16(F_UNLCK)
    }

    private func range(_ byte: Int, _ type: Int32) -> flock {
        flock(l_type: Int16(type), l_whence: Int16(SEEK_SET), l_start: off_t(byte), l_len: 1, l_pid: 0)
    }
}
