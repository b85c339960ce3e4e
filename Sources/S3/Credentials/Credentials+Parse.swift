import HTTP

extension Credentials {
    /// The names of the three values in a source of credentials.
    typealias Names = (key: String, secret: String, token: String)

    /// Validates credentials from outside. An empty value counts as missing.
    ///
    /// - Parameters:
    ///   - place: follows the name in messages.
    ///   - text: returns the value of a name.
    /// - Throws: ``CredentialsError``.
    init(_ names: Names, _ place: String = "", expiration: Int? = nil, _ text: (String) -> [UInt8]?) throws {
        func checked(_ name: String) throws -> String? {
            guard let bytes = text(name), !bytes.isEmpty else { return nil }
            guard bytes.count <= 16384, isVisible(bytes) else {
                throw CredentialsError("\(name)\(place) has white space, a control character or more than 16384 bytes")
            }
            return String(decoding: bytes, as: UTF8.self)
        }
        guard let key = try checked(names.key) else { throw CredentialsError("\(names.key)\(place) is missing") }
        guard let secret = try checked(names.secret) else {
            throw CredentialsError("\(names.secret)\(place) is missing")
        }
        let token = try checked(names.token)
        self.init(accessKey: key, secretKey: secret, sessionToken: token, expiration: expiration)
    }

    /// Reads credentials from a source that may have none: `nil` if neither key is set.
    static func written(_ names: Names, _ place: String = "", _ text: (String) -> [UInt8]?) throws -> Credentials? {
        if text(names.key) == nil, text(names.secret) == nil { return nil }
        return try Credentials(names, place, text)
    }
}
