import Glibc
import SystemPackage

/// A failed system call: the operation, its object, and the system's reason.
package struct SystemCallError: Error, Equatable, CustomStringConvertible {
    /// The operation and its object, as in `bind /run/lps/lps.sock`.
    package let action: String
    package let errno: Errno

    package init(_ action: String, _ errno: Errno) {
        self.action = action
        self.errno = errno
    }

    /// One line for the log.
    package var description: String { "\(action): \(errno)" }
}

/// Makes a system call, and repeats it while signals interrupt it. Reads `errno` before anything can change it.
///
/// - Returns: the call's result, at least zero.
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

/// Makes a system call, and repeats it while signals interrupt it. The caller reads `errno`.
package func uninterrupted<Result: SignedInteger>(_ call: () -> Result) -> Result {
    while true {
        let result = call()
        if result >= 0 || errno != EINTR { return result }
    }
}
