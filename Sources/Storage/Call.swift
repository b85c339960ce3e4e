import SystemPackage

/// Makes a call of the kernel; its failure becomes a ``StoreError`` that says what was being done.
@discardableResult
package func call<Result>(
    _ action: @autoclosure () -> String,
    _ work: () throws(Errno) -> Result
) throws(StoreError) -> Result {
    do throws(Errno) {
        return try work()
    } catch {
        throw StoreError(failed: action(), error)
    }
}

/// As ``call(_:_:)``, for a call whose failure with one of `answers` is an answer.
///
/// - Returns: false when it failed with one of them.
package func call(
    _ action: @autoclosure () -> String,
    unless answers: Errno...,
    work: () throws(Errno) -> Void
) throws(StoreError) -> Bool {
    do throws(Errno) {
        try work()
        return true
    } catch {
        if answers.contains(error) { return false }
        throw StoreError(failed: action(), error)
    }
}
