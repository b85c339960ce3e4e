import Glibc
import SystemPackage

/// Calls the system, and turns a result below zero into a ``StoreError`` that says what was being done.
///
/// `errno` is read before anything else can change it. A call that a signal interrupted is made again; `close` is the
/// one that must not be (close(2)), and does not come through here.
@discardableResult
func systemCall(_ action: @autoclosure () -> String, _ call: () -> Int32) throws(StoreError) -> Int32 {
    Int32(try countingSystemCall(action()) { Int(call()) })
}

/// ``systemCall(_:_:)`` for calls that return a number of bytes.
@discardableResult
func countingSystemCall(_ action: @autoclosure () -> String, _ call: () -> Int) throws(StoreError) -> Int {
    while true {
        let result = call()
        if result >= 0 { return result }
        let error = Errno(rawValue: errno)
        if error == .interrupted { continue }
        let full = error == .noSpace || error == .diskQuotaExceeded
        throw StoreError(full ? .noSpace : .system, action(), errno: error)
    }
}

/// As ``systemCall(_:_:)``, for a call whose failure with one of `expected` is an answer: returns that errno, `nil` on
/// success.
func systemCall(
    _ action: @autoclosure () -> String,
    expecting expected: Errno...,
    call: () -> Int32
) throws(StoreError) -> Errno? {
    do {
        try systemCall(action(), call)
        return nil
    } catch {
        if let errno = error.errno, expected.contains(errno) { return errno }
        throw error
    }
}
