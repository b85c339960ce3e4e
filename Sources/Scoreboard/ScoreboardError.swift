import Glibc

/// Why a pool's shared memory can't be used: what was being done, and the system's reason.
public struct ScoreboardError: Error, CustomStringConvertible, Sendable {
    /// One line.
    public let description: String

    init(_ description: String) {
        self.description = description
    }

    /// The failure of a system call; `errno` is read here.
    static func system(_ action: String) -> ScoreboardError {
        let code = errno
        return ScoreboardError("\(action): \(String(cString: strerror(code)))")
    }
}
