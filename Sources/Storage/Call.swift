import SystemPackage

/// Makes a kernel call, and turns its failure into a ``StoreError`` that names the operation.
@discardableResult
package func call<Value>(_ action: @autoclosure () -> String, _ work: () throws -> Value) throws -> Value {
    do {
        return try work()
    } catch let error as Errno {
        throw StoreError(failed: action(), error)
    }
}

/// As ``call(_:_:)``, for a call that may fail with one of `known` without that being an error.
///
/// - Returns: false if the call failed with one of `known`.
package func call(_ doing: @autoclosure () -> String, unless known: [Errno], _ work: () throws -> Void) throws -> Bool {
    do {
        try call(doing(), work)
        return true
    } catch let error as StoreError where error.errno.map(known.contains) == true {
        return false
    }
}

/// As ``call(_:_:)``, for work whose every failure has the same meaning to the caller: the error's code is `code`.
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

/// Looks at a file of the store: if its permissions or the disk prevent that, the error's code is `unreadable`.
package func reading<Value>(_ work: () throws -> Value) throws -> Value {
    do {
        return try work()
    } catch let error as StoreError where error.isUnreadable {
        throw StoreError(.unreadable, error.action, errno: error.errno)
    }
}
