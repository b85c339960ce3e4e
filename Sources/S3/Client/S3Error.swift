import PayloadKey

/// A request that the engine refused or did not answer.
public struct S3Error: Error, Sendable, CustomStringConvertible {
    /// The kinds of failures that callers distinguish.
    public enum Code: Sendable, Equatable {
        /// The bucket does not exist.
        case noSuchBucket
        /// The object does not exist.
        case noSuchKey
        /// The credentials do not permit the request.
        case accessDenied
        /// There are no credentials, or the engine does not know or accept them.
        case credentials
        /// This machine's clock differs too much from the engine's.
        case clockSkew
        /// A temporary failure that outlasted all retries: no connection, no answer in time, or an engine that is busy
        /// or fails.
        case unavailable
        /// An answer broke off, and all retries failed.
        case cutOff
        /// The content does not match its digest.
        case badDigest
        /// A quota of the bucket or its owner is used up, or the engine's disks are full.
        case full
        /// Any other refusal.
        case refused
        /// The answer does not come from an S3 engine.
        case malformedAnswer
    }

    /// How the client handles a failed try.
    enum Remedy {
        case giveUp
        /// Try again after at least this pause.
        case again(after: Duration = .zero)
        /// Try again immediately with credentials other than these, if there are any.
        case otherCredentials(than: Credentials)
    }

    /// The kind of failure.
    public let code: Code
    /// One line: the bucket and its host, the operation, and the message of the engine or the system. Never contains a
    /// secret, a signature or a key.
    public let description: String
    /// Whether a later try may succeed with the same configuration.
    public let mayPass: Bool
    var remedy: Remedy

    init(_ code: Code, _ description: String, mayPass: Bool = false, remedy: Remedy = .giveUp) {
        self.code = code
        self.description = description
        self.mayPass = mayPass
        self.remedy = remedy
    }
}

/// Runs an operation, and treats a missing object as an expected result.
///
/// - Returns: `nil` if the engine states that it has no object with the key.
func unlessAbsent<Value>(_ operation: () throws -> Value) throws -> Value? {
    do {
        return try operation()
    } catch let error as S3Error where error.code == .noSuchKey {
        return nil
    }
}
