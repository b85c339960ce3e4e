/// The credentials that sign requests. Their descriptions contain no secrets.
public struct Credentials: Sendable, Equatable {
    /// Identifies the account; part of every request.
    public let accessKey: String
    /// Never part of a request.
    public let secretKey: String
    /// The token of temporary credentials; part of every request, and as sensitive as a secret.
    public let sessionToken: String?
    /// When the engine stops accepting them, in Unix seconds; `nil` if never or unknown.
    public let expiration: Int?

    /// Makes credentials from values that are valid in a header: ASCII without white space.
    public init(accessKey: String, secretKey: String, sessionToken: String? = nil, expiration: Int? = nil) {
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.sessionToken = sessionToken
        self.expiration = expiration
    }

    func isValid(at unixSeconds: Int) -> Bool {
        expiration.map { unixSeconds < $0 } ?? true
    }
}

extension Credentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The access key and the expiration.
    public var description: String {
        "credentials \(accessKey)" + (expiration.map { ", which expire at \(timestamp($0))" } ?? "")
    }

    /// The same as `description`.
    public var debugDescription: String { description }

    /// Omits the secrets, for `dump` and debuggers.
    public var customMirror: Mirror { Mirror(self, children: ["accessKey": accessKey]) }
}

/// A source of credentials. Safe to use from many threads.
public protocol CredentialsSource: Sendable {
    /// The credentials to sign a request with. Returns immediately, unless they must be read again.
    ///
    /// - Throws: ``CredentialsError``.
    func credentials() throws -> Credentials

    /// Reports that the engine refused a request because of its credentials. The source reads them again before the
    /// next use. If they are still the same then, retrying is pointless.
    func refusedByEngine(_ credentials: Credentials)
}

extension Credentials: CredentialsSource {
    /// Returns itself.
    public func credentials() -> Credentials { self }

    /// Does nothing: fixed credentials have no source to read again.
    public func refusedByEngine(_ credentials: Credentials) {}
}

/// Why there are no credentials, in one line without secrets.
public struct CredentialsError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The reason, in one line.
    public let description: String
    /// Whether a later try may succeed with the same configuration.
    public let mayPass: Bool

    init(_ description: String, mayPass: Bool = false) {
        self.description = description
        self.mayPass = mayPass
    }
}
