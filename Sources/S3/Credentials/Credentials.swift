/// What requests are signed with. Its secrets are in no description.
public struct Credentials: Sendable, Equatable {
    /// Names the account; part of every request.
    public let accessKey: String
    /// Never part of a request.
    public let secretKey: String
    /// For credentials that expire; part of every request, and as good as a secret.
    public let sessionToken: String?
    /// Unix seconds from which on the engine refuses them; `nil`: not known, or never.
    public let expiration: Int?

    /// Makes credentials of texts that are known to be fit for a header: ASCII without white space.
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
    /// The access key, and when they expire.
    public var description: String {
        "credentials \(accessKey)" + (expiration.map { ", which expire at \(timestamp($0))" } ?? "")
    }

    /// The same.
    public var debugDescription: String { description }

    /// Without the secrets, for `dump` and debuggers.
    public var customMirror: Mirror { Mirror(self, children: ["accessKey": accessKey]) }
}

/// Where credentials come from. Safe to use from many threads.
public protocol CredentialsSource: Sendable {
    /// What to sign a request with now. Returns at once but when they must be read again.
    ///
    /// - Throws: ``CredentialsError``.
    func credentials() throws -> Credentials

    /// Tells that the engine has refused a request, and for its credentials: they are read anew before they are given out
    /// again. When they are still the same then, another try is useless.
    func refusedByEngine(_ credentials: Credentials)
}

extension Credentials: CredentialsSource {
    /// Itself.
    public func credentials() -> Credentials { self }

    /// Changes nothing.
    public func refusedByEngine(_ credentials: Credentials) {}
}

/// Why there are no credentials, in one line without any secret.
public struct CredentialsError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The line.
    public let description: String
    /// Whether it may be otherwise a moment later, with the same configuration.
    public let mayPass: Bool

    init(_ description: String, mayPass: Bool = false) {
        self.description = description
        self.mayPass = mayPass
    }
}
