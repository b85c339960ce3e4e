import Glibc
import SystemPackage

/// The system calls that a store makes, one function each.
///
/// All effects of a store go through these functions: in production through ``LinuxKernel``, in the simulation through
/// a model of the kernel that decides which call runs next, when a process dies, and what a power loss leaves. So a
/// store never calls the C library itself.
///
/// Paths are relative to an open folder, and no part of a path may be a symbolic link. A call that a signal interrupts
/// is repeated, except `close`.
package protocol Kernel: Sendable {
    /// The PID of this process.
    var processID: Int32 { get }

    // MARK: Open files

    /// Opens a path that an operator gave, following symbolic links (open(2)).
    func open(_ path: String, _ flags: Int32) throws(Errno) -> Int32
    /// Opens a path below an open folder (openat2(2) with `RESOLVE_NO_SYMLINKS`).
    func open(_ path: String, in folder: Int32, _ flags: Int32, mode: mode_t) throws(Errno) -> Int32
    /// Closes a descriptor, which releases its lock (close(2)).
    func close(_ file: Int32)
    /// The real path of a path that an operator gave (realpath(3)).
    func resolve(_ path: String) throws(Errno) -> String

    // MARK: Content

    /// Reads at an offset; zero bytes at the end of the file (pread(2)).
    func read(_ file: Int32, into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Errno) -> Int
    /// Writes at the file's position, or at its end if it was opened with `O_APPEND` (write(2)).
    func write(_ file: Int32, _ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int
    /// Writes at an offset (pwrite(2)).
    func write(_ file: Int32, _ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(Errno) -> Int
    /// Empties a file (ftruncate(2)).
    func truncate(_ file: Int32) throws(Errno)
    /// Asks the kernel to drop its cached copy of the content, so that the next read comes from the disk
    /// (posix_fadvise(3)).
    func forgetCachedContent(of file: Int32)

    // MARK: Names

    /// Creates a folder (mkdirat(2)).
    func makeFolder(_ path: String, in folder: Int32, mode: mode_t) throws(Errno)
    /// Gives an open file another name (linkat(2) through `/proc/self/fd`).
    func link(_ file: Int32, to path: String, in folder: Int32) throws(Errno)
    /// Renames a file or folder, replacing an existing target (renameat(2)).
    func rename(_ path: String, in folder: Int32, to target: String, in targetFolder: Int32) throws(Errno)
    /// Deletes a file's name (unlinkat(2)).
    func unlink(_ path: String, in folder: Int32) throws(Errno)
    /// Deletes an empty folder (unlinkat(2) with `AT_REMOVEDIR`).
    func removeFolder(_ path: String, in folder: Int32) throws(Errno)
    /// The names in an open folder, without `.` and `..`, in no order (readdir(3)).
    func names(of folder: Int32) throws(Errno) -> [[UInt8]]

    // MARK: Attributes

    /// The status of an open file (fstat(2)).
    func status(of file: Int32) throws(Errno) -> FileStatus
    /// The status of a path, without following a link at its end (fstatat(2)).
    func status(of path: String, in folder: Int32) throws(Errno) -> FileStatus
    /// Sets an open file's mtime, in seconds since 1970; `nil` sets it to now (futimens(3)).
    func setModified(_ file: Int32, to seconds: Int?) throws(Errno)
    /// Changes an open file's mode (fchmod(2)).
    func changeMode(of file: Int32, to mode: mode_t) throws(Errno)
    /// Changes the mode of a path, never of a link's target (fchmodat(3)).
    func changeMode(of path: String, in folder: Int32, to mode: mode_t) throws(Errno)
    /// Changes an open file's owner (fchown(2)).
    func changeOwner(of file: Int32, to user: uid_t, group: gid_t) throws(Errno)
    /// Changes the owner of a path, but not its group, and never of a link's target (fchownat(2)).
    func changeOwner(of path: String, in folder: Int32, to user: uid_t) throws(Errno)
    /// Checks that this user may write to a folder and enter it (faccessat(3)). If `folder` is `nil`, an operator gave
    /// the path.
    func checkWritable(_ path: String, in folder: Int32?) throws(Errno)

    // MARK: Durability

    /// Waits until an open file, or a folder's names, are on disk (fsync(2)).
    func synchronize(_ file: Int32) throws(Errno)
    /// Waits until an open file's content is on disk (fdatasync(2)).
    func synchronizeData(_ file: Int32) throws(Errno)
    /// Waits until everything on the file system of an open file is on disk (syncfs(2)).
    func synchronizeFileSystem(of file: Int32) throws(Errno)

    // MARK: Locks

    /// Locks an open file without waiting (flock(2)): `LOCK_SH`, `LOCK_EX` or `LOCK_UN`, which also ends a reservation.
    ///
    /// - Returns: whether the file is locked now; if not, another process or thread holds the lock.
    func lock(_ file: Int32, _ kind: Int32) throws(Errno) -> Bool
    /// Reserves the lock of an open file (fcntl(2), `F_OFD_SETLK`): nobody else takes it from now on, so that it
    /// becomes free. flock(2) grants a shared lock even while another process waits for an exclusive one. The
    /// reservation ends when the file is unlocked or closed.
    ///
    /// - Returns: false if another process or thread has reserved the lock.
    func reserveLock(of file: Int32) throws(Errno) -> Bool
    /// Whether another process or thread has reserved the lock (fcntl(2), `F_OFD_GETLK`).
    func isLockReserved(of file: Int32) throws(Errno) -> Bool
    /// The processes that hold a lock on a file, for error messages (proc(5), `/proc/locks`).
    func lockHolders(of file: FileStatus.Identity) -> [Int32]
    /// Prevents a terminal from stopping this process (SIGTSTP). Calls nest: each call with `true` needs one with
    /// `false`.
    func holdOffStops(_ isHeldOff: Bool)

    // MARK: Other calls

    /// The size and the free space of the file system of an open file (fstatvfs(3)).
    func space(of file: Int32) throws(Errno) -> FileSystemSpace
    /// The name of the file system of an open file if it is remote (fstatfs(2)); `nil` if the file system is trusted.
    func remoteFileSystem(of file: Int32) -> String?
    /// The most files that this process may have open (getrlimit(2)); `nil` if unknown.
    func openFileLimit() -> Int?
    /// Seconds since 1970 (time(2)).
    func now() -> Int
    /// A clock that never jumps, and continues while the machine is suspended (clock_gettime(2), `CLOCK_BOOTTIME`).
    func uptime() -> Duration
    /// Pauses this thread (usleep(3)).
    func sleep(_ duration: Duration)
    /// A random number (getrandom(2)).
    func random() -> UInt64
}
