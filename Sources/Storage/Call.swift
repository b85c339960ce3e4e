import SystemPackage

/// Makes a call of the kernel; its failure becomes a ``StoreError`` that says what was being done.
@discardableResult
package func call<Value>(_ action: @autoclosure () -> String, _ work: () throws -> Value) throws -> Value {
    do {
        return try work()
    } catch let error as Errno {
        throw StoreError(failed: action(), error)
    }
}

/// As ``call(_:_:)``, for a call whose failure with one of `known` is an answer.
///
/// - Returns: false when it failed with one of them.
package func call(_ doing: @autoclosure () -> String, unless known: [Errno], _ work: () throws -> Void) throws -> Bool {
    do {
        try call(doing(), work)
        return true
    } catch let error as StoreError where error.errno.map(known.contains) == true {
        return false
    }
}

/// As ``call(_:_:)``, for work whose failure means one thing to whoever opens a store or a file of it.
package func call<Value>(
    _ action: @autoclosure () -> String,
    failsAs code: StoreError.Code,
    _ work: () throws -> Value
) throws -> Value {
    do {
        return try work()
    } catch let error as Errno {
        throw StoreError(code, action(), errno: error)
    } catch let error as StoreError {
        throw StoreError(code, action(), errno: error.errno)
    }
}
