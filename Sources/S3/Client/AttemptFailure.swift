/// Why one try of an operation failed.
enum AttemptFailure: Error {
    /// What to do about a failure.
    enum Remedy {
        case none
        /// Again, and not before so long.
        case again(after: Duration)
        /// Again at once with other credentials than these, when there are any.
        case otherCredentials(than: Credentials)
    }

    /// The engine's, or the way's to it.
    case engine(S3Error, Remedy)
    /// The caller's own closure threw it.
    case caller(any Error)

    /// What callers of the client get.
    var error: any Error {
        switch self {
        case .engine(let error, _): error
        case .caller(let error): error
        }
    }

    /// For operations without closures of the caller.
    var ofEngine: S3Error {
        error as? S3Error ?? S3Error(.refused, "\(error)")
    }
}
