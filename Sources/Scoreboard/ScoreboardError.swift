/// Why a pool's shared memory can't be used, where no system call failed.
public struct ScoreboardError: Error, CustomStringConvertible, Sendable {
    /// One line.
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
