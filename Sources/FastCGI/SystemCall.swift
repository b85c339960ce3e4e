import Glibc
import SystemPackage

/// Calls the system, and turns a result below zero into a ``FastCGIError`` that says what was being done.
///
/// `errno` is read before anything else can change it.
@discardableResult
func systemCall(_ action: @autoclosure () -> String, _ call: () -> Int32) throws -> Int32 {
    while true {
        let result = call()
        if result >= 0 { return result }
        let error = Errno(rawValue: errno)
        if error != .interrupted { throw FastCGIError(action(), errno: error) }
    }
}
