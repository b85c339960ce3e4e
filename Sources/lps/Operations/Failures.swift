import Storage

/// What has failed with single keys or folders, which is no reason to leave the others alone.
final class Failures {
    /// How many there were.
    private(set) var count = 0
    private let complain: (String) -> Void

    /// - Parameter complain: tells of each.
    init(complain: @escaping (String) -> Void) {
        self.complain = complain
    }

    /// Reports something that is no failure.
    func warn(_ message: String) { complain(message) }

    /// Tells of a failure.
    ///
    /// - Throws: the failure, when others can only fail, too.
    func note(_ error: StoreError) throws {
        try note(nil, error)
    }

    /// Runs `work`; when it fails, tells of it.
    ///
    /// - Parameter failed: what the failure means.
    /// - Returns: `nil` when it failed.
    /// - Throws: what `work` throws, when others can only fail, too.
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
