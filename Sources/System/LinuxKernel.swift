import CLinux
import Glibc
import SystemPackage

/// The kernel that this process runs on. Tests override some of its functions.
package class LinuxKernel: Kernel, @unchecked Sendable {
    // Safe to share: it has no state of its own.
    package static let shared = LinuxKernel()

    package var processID: Int32 { getpid() }

    // MARK: Open files

    package func open(_ path: String, _ flags: Int32) throws(Errno) -> Int32 {
        try checked { Glibc.open(path, flags | O_CLOEXEC) }
    }

    package func open(_ path: String, in folder: Int32, _ flags: Int32, mode: mode_t) throws(Errno) -> Int32 {
        // Without withCString, the call would copy the path into an array first.
        try checked { path.withCString { open_following_no_link(folder, $0, flags | O_NOFOLLOW | O_CLOEXEC, mode) } }
    }

    package func close(_ file: Int32) { _ = Glibc.close(file) }

    package func resolve(_ path: String) throws(Errno) -> String {
        guard let resolved = realpath(path, nil) else { throw Errno(rawValue: errno) }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    // MARK: Content

    package func read(
        _ file: Int32,
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: UInt64
    ) throws(Errno) -> Int {
        try checked { pread(file, buffer.baseAddress, buffer.count, off_t(offset)) }
    }

    package func write(_ file: Int32, _ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int {
        try checked { Glibc.write(file, bytes.baseAddress, bytes.count) }
    }

    package func write(_ file: Int32, _ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(Errno) -> Int {
        try checked { pwrite(file, bytes.baseAddress, bytes.count, off_t(offset)) }
    }

    package func truncate(_ file: Int32) throws(Errno) { try checked { ftruncate(file, 0) } }

    package func forgetCachedContent(of file: Int32) {
        // This is advice: the kernel keeps pages that are in use.
        posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED)
    }

    // MARK: Names

    package func makeFolder(_ path: String, in folder: Int32, mode: mode_t) throws(Errno) {
        try checked { mkdirat(folder, path, mode) }
    }

    package func link(_ file: Int32, to path: String, in folder: Int32) throws(Errno) {
        try checked {
            path.withCString { linkat(AT_FDCWD, "/proc/self/fd/\(file)", folder, $0, AT_SYMLINK_FOLLOW) }
        }
    }

    package func rename(_ path: String, in folder: Int32, to target: String, in targetFolder: Int32) throws(Errno) {
        try checked { renameat(folder, path, targetFolder, target) }
    }

    package func unlink(_ path: String, in folder: Int32) throws(Errno) { try checked { unlinkat(folder, path, 0) } }

    package func removeFolder(_ path: String, in folder: Int32) throws(Errno) {
        try checked { unlinkat(folder, path, AT_REMOVEDIR) }
    }

    package func names(of folder: Int32) throws(Errno) -> [[UInt8]] {
        // closedir(3) closes the descriptor passed to fdopendir(3), and two readers of one descriptor would share its
        // position.
        let copy = try checked { openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard let stream = fdopendir(copy) else {
            let error = Errno(rawValue: errno)
            close(copy)
            throw error
        }
        defer { closedir(stream) }
        var names: [[UInt8]] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                let error = Errno(rawValue: errno)
                guard error.rawValue == 0 else { throw error }
                return names
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if !name.elementsEqual(".".utf8), !name.elementsEqual("..".utf8) { names.append(name) }
        }
    }

    // MARK: Attributes

    package func status(of file: Int32) throws(Errno) -> FileStatus {
        var status = stat()
        try checked { fstat(file, &status) }
        return FileStatus(status)
    }

    package func status(of path: String, in folder: Int32) throws(Errno) -> FileStatus {
        var status = stat()
        try checked { path.withCString { fstatat(folder, $0, &status, AT_SYMLINK_NOFOLLOW) } }
        return FileStatus(status)
    }

    package func setModified(_ file: Int32, to seconds: Int?) throws(Errno) {
        guard let seconds else {
            try checked { futimens(file, nil) }
            return
        }
        // UTIME_OMIT from <sys/stat.h>, a macro that Swift does not import: it leaves the access time unchanged.
        let omitted = (1 << 30) - 2
        let times = [timespec(tv_sec: 0, tv_nsec: omitted), timespec(tv_sec: seconds, tv_nsec: 0)]
        try checked { futimens(file, times) }
    }

    package func changeMode(of file: Int32, to mode: mode_t) throws(Errno) { try checked { fchmod(file, mode) } }

    package func changeMode(of path: String, in folder: Int32, to mode: mode_t) throws(Errno) {
        // Since version 2.32, glibc implements this flag through /proc.
        try checked { fchmodat(folder, path, mode, AT_SYMLINK_NOFOLLOW) }
    }

    package func changeOwner(of file: Int32, to user: uid_t, group: gid_t) throws(Errno) {
        try checked { fchown(file, user, group) }
    }

    package func changeOwner(of path: String, in folder: Int32, to user: uid_t) throws(Errno) {
        // -1 as an unsigned number leaves the group unchanged (chown(2)).
        try checked { fchownat(folder, path, user, gid_t.max, AT_SYMLINK_NOFOLLOW) }
    }

    package func checkWritable(_ path: String, in folder: Int32?) throws(Errno) {
        try checked { faccessat(folder ?? AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) }
    }

    // MARK: Durability

    package func synchronize(_ file: Int32) throws(Errno) { try checked { fsync(file) } }
    package func synchronizeData(_ file: Int32) throws(Errno) { try checked { fdatasync(file) } }
    package func synchronizeFileSystem(of file: Int32) throws(Errno) { try checked { sync_file_system(file) } }

    // MARK: Locks

    package func lock(_ file: Int32, _ kind: Int32) throws(Errno) -> Bool {
        if kind == LOCK_UN {
            var unlocked = Self.wholeFile
            unlocked.l_type = Int16(F_UNLCK)
            try checked { fcntl(file, Self.F_OFD_SETLK, &unlocked) }
        }
        return try checked(unless: .wouldBlock) { flock(file, kind | LOCK_NB) }
    }

    package func reserveLock(of file: Int32) throws(Errno) -> Bool {
        var lock = Self.wholeFile
        return try checked(unless: .wouldBlock, .permissionDenied) { fcntl(file, Self.F_OFD_SETLK, &lock) }
    }

    package func isLockReserved(of file: Int32) throws(Errno) -> Bool {
        var lock = Self.wholeFile
        try checked { fcntl(file, Self.F_OFD_GETLK, &lock) }
        return lock.l_type != Int16(F_UNLCK)
    }

    // <fcntl.h> defines these only with _GNU_SOURCE.
    private static let F_OFD_GETLK: Int32 = 36
    private static let F_OFD_SETLK: Int32 = 37

    private static var wholeFile: flock {
        var lock = Glibc.flock()
        lock.l_type = Int16(F_WRLCK)
        lock.l_whence = Int16(SEEK_SET)
        return lock
    }

    package func lockHolders(of file: FileStatus.Identity) -> [Int32] { LockTable.holders(of: file) }

    package func holdOffStops(_ isHeldOff: Bool) { StopSignal.holdOff(isHeldOff) }

    // MARK: Other calls

    package func space(of file: Int32) throws(Errno) -> FileSystemSpace {
        var space = statvfs()
        try checked { fstatvfs(file, &space) }
        return FileSystemSpace(space)
    }

    package func remoteFileSystem(of file: Int32) -> String? { RemoteFileSystem.name(of: file) }

    package func openFileLimit() -> Int? {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
        return Int(clamping: limit.rlim_cur)
    }

    package func now() -> Int { time(nil) }

    package func uptime() -> Duration {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    package func sleep(_ duration: Duration) { usleep(useconds_t(duration / .microseconds(1))) }

    package func random() -> UInt64 {
        var generator = SystemRandomNumberGenerator()
        return generator.next()
    }
}

/// Repeats a call while signals interrupt it, and throws if it fails. Reads `errno` before anything can change it.
@discardableResult
private func checked<Result: SignedInteger>(_ call: () -> Result) throws(Errno) -> Result {
    let result = uninterrupted(call)
    guard result >= 0 else { throw Errno(rawValue: errno) }
    return result
}

/// As ``checked(_:)``, but returns false if the call fails with one of `answers`.
private func checked(unless answers: Errno..., call: () -> Int32) throws(Errno) -> Bool {
    guard uninterrupted(call) < 0 else { return true }
    let error = Errno(rawValue: errno)
    guard answers.contains(error) else { throw error }
    return false
}
