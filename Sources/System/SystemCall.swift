import Glibc
import SystemPackage

/// A system call that failed: what was being done, to what, and the system's reason.
package struct SystemCallError: Error, Equatable, CustomStringConvertible {
    /// `bind /run/lps/lps.sock`
    package let action: String
    package let errno: Errno

    package init(_ action: String, _ errno: Errno) {
        self.action = action
        self.errno = errno
    }

    /// One line for the log.
    package var description: String { "\(action): \(errno)" }
}

/// Makes a system call, and makes it again when a signal interrupts it. `errno` is read before anything can change it.
///
/// - Returns: the call's result, which is not below zero.
@discardableResult
package func systemCall<Result: SignedInteger>(
    _ action: @autoclosure () -> String,
    _ call: () -> Result
) throws(SystemCallError) -> Result {
    let result = uninterrupted(call)
    guard result >= 0 else {
        let error = Errno(rawValue: errno)
        throw SystemCallError(action(), error)
    }
    return result
}

/// Makes a system call, and makes it again when a signal interrupts it; the caller reads `errno`.
package func uninterrupted<Result: SignedInteger>(_ call: () -> Result) -> Result {
    while true {
        let result = call()
        if result >= 0 || errno != EINTR { return result }
    }
}
