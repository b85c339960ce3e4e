import PayloadKey

/// A request that the engine refused, or that got no answer.
public struct S3Error: Error, Sendable, CustomStringConvertible {
    /// What callers tell apart.
    public enum Code: Sendable, Equatable {
        /// There is no bucket of this name.
        case noSuchBucket
        /// There is no object of this name.
        case noSuchKey
        /// The credentials don't allow it.
        case accessDenied
        /// There are no credentials, or the engine does not know or believe them.
        case credentials
        /// This machine's clock differs too much from the engine's.
        case clockSkew
        /// What may pass: no connection, no answer in time, an engine that is busy or fails; after all tries.
        case unavailable
        /// An answer ended before its end; after all tries.
        case cutOff
        /// The content is not what its digest says.
        case badDigest
        /// A quota of the bucket or its owner is used up, or the engine's disks are full.
        case full
        /// Any other refusal.
        case refused
        /// Not an answer of an S3 engine.
        case malformedAnswer
    }

    /// What the client does about a failed try.
    enum Remedy {
        case giveUp
        /// Try again, and not before this time has passed.
        case again(after: Duration = .zero)
        /// Try again at once with other credentials than these, when there are any.
        case otherCredentials(than: Credentials)
    }

    /// What kind of failure it is.
    public let code: Code
    /// One line: the bucket and its host, the operation, and what the engine or the system says. Never has a secret, a
    /// signature or a key.
    public let description: String
    /// Whether it may be otherwise a moment later, with the same configuration.
    public let mayPass: Bool
    var remedy: Remedy

    init(_ code: Code, _ description: String, mayPass: Bool = false, remedy: Remedy = .giveUp) {
        self.code = code
        self.description = description
        self.mayPass = mayPass
        self.remedy = remedy
    }
}

/// Runs an operation.
///
/// - Returns: `nil` when the engine says that it has no object of the key.
func unlessAbsent<Value>(_ operation: () throws -> Value) throws -> Value? {
    do {
        return try operation()
    } catch let error as S3Error where error.code == .noSuchKey {
        return nil
    }
}
