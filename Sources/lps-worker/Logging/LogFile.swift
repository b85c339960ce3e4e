import Glibc
import System

/// A log file that can be reopened after a rotation. Any number of threads may write: each line is one write(2) unless
/// the kernel accepts less, and the descriptor's number stays the same when the file is reopened.
struct LogFile: Sendable {
    /// The path that means standard error, as in nginx.
    static let standardError = "stderr"

    let path: String
    private let descriptor: Int32

    /// Opens the file, or creates it.
    ///
    /// - Parameter descriptor: the descriptor to replace with the file; `nil` for a new one.
    /// - Throws: ``SystemCallError`` that names the path.
    init(path: String, as descriptor: Int32? = nil) throws {
        self.path = path
        if path == Self.standardError {
            // A copy, because the error log may replace standard error.
            self.descriptor = descriptor ?? fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)
        } else {
            let opened = try Self.open(path)
            self.descriptor = descriptor ?? opened
            if descriptor != nil { try Self.move(opened, to: self.descriptor, path) }
        }
    }

    /// Opens the path again, and writes later lines there.
    ///
    /// - Throws: ``SystemCallError``; lines then still go to the old file.
    func reopen() throws {
        guard path != Self.standardError else { return }
        try Self.move(try Self.open(path), to: descriptor, path)
    }

    /// Checks that a log can be written at a path, without creating it.
    ///
    /// - Throws: ``SystemCallError`` that names the path.
    static func check(_ path: String) throws {
        guard path != standardError else { return }
        let isThere = access(path, F_OK) == 0
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        try systemCall("open log \(path)") { access(isThere ? path : folder, W_OK) }
    }

    func write(_ line: String) { writeLine(line, to: descriptor) }

    private static func open(_ path: String) throws -> Int32 {
        // O_NONBLOCK: a fifo without a reader must not block the thread. Regular files ignore it (open(2)).
        try systemCall("open log \(path)") {
            Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0o640)
        }
    }

    /// Replaces a descriptor's file in one step with dup2(2), so that no line is lost in between.
    private static func move(_ opened: Int32, to descriptor: Int32, _ path: String) throws {
        defer { close(opened) }
        try systemCall("open log \(path)") { dup2(opened, descriptor) }
        guard descriptor != STDERR_FILENO else { return }
        try systemCall("open log \(path)") { fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    }
}
