import Storage

/// Reports and counts failures of single keys or folders, which must not stop work on the others.
final class Failures {
    private(set) var count = 0
    private let complain: (String) -> Void

    /// - Parameter complain: Reports each failure.
    init(complain: @escaping (String) -> Void) {
        self.complain = complain
    }

    /// Reports a problem without counting it as a failure.
    func warn(_ message: String) { complain(message) }

    /// Reports a failure.
    ///
    /// - Throws: `error`, if it concerns the whole store.
    func note(_ error: StoreError) throws {
        try note(nil, error)
    }

    /// Runs `work`, and reports a ``StoreError``.
    ///
    /// - Parameter failed: The consequence, which begins the report.
    /// - Returns: `nil` if `work` failed.
    /// - Throws: The error of `work`, if it concerns the whole store or is not a ``StoreError``.
    @discardableResult
    func goingOn<Value>(_ failed: @autoclosure () -> String, _ work: () throws -> Value) throws -> Value? {
        do {
            return try work()
        } catch let error as StoreError {
            try note(failed(), error)
            return nil
        }
    }

    private func note(_ failed: String?, _ error: StoreError) throws {
        if error.concernsWholeStore { throw error }
        complain(failed.map { "\($0): \(error)" } ?? "\(error)")
        count += 1
    }
}
