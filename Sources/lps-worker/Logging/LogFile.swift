import Glibc
import System

/// A file that lines are appended to, and that is opened anew after a rotation. Any number of threads may write: each
/// line is one write(2), unless that takes less, and its number stays the same when it is opened anew.
struct LogFile: Sendable {
    /// The path that stands for standard error, as nginx has it.
    static let standardError = "stderr"

    let path: String
    private let descriptor: Int32

    /// Opens the file, makes it when there is none.
    ///
    /// - Parameter descriptor: the number that it is to have, in place of what that is now; `nil` for a new one.
    /// - Throws: ``SystemCallError`` that names the path.
    init(path: String, as descriptor: Int32? = nil) throws {
        self.path = path
        if path == Self.standardError {
            // A number of its own, since standard error may become the error log's file.
            self.descriptor = descriptor ?? fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)
        } else {
            let opened = try Self.open(path)
            self.descriptor = descriptor ?? opened
            if descriptor != nil { try Self.move(opened, to: self.descriptor, path) }
        }
    }

    /// Opens the path again; lines go there from now on.
    ///
    /// - Throws: ``SystemCallError``; lines go on to go where they went then.
    func reopen() throws {
        guard path != Self.standardError else { return }
        try Self.move(try Self.open(path), to: descriptor, path)
    }

    /// Makes sure that a path can be a log, and makes none.
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
        // O_NONBLOCK: a fifo that nobody reads must not hold the thread. It means nothing for regular files (open(2)).
        try systemCall("open log \(path)") {
            Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0o640)
        }
    }

    /// dup2(2) puts one file in the place of another in one step: no line is written in between.
    private static func move(_ opened: Int32, to descriptor: Int32, _ path: String) throws {
        defer { close(opened) }
        try systemCall("open log \(path)") { dup2(opened, descriptor) }
        guard descriptor != STDERR_FILENO else { return }
        try systemCall("open log \(path)") { fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    }
}
