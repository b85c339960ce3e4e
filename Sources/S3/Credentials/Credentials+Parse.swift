extension Credentials {
    /// The names under which credentials are written somewhere.
    typealias Names = (key: String, secret: String, token: String)

    /// Checks what comes from outside. An empty text counts as absent.
    ///
    /// - Parameters:
    ///   - place: follows a name in messages.
    ///   - text: what is written under a name.
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

    /// Credentials from a place that may have none: `nil` when it has neither key.
    static func written(_ names: Names, _ place: String = "", _ text: (String) -> [UInt8]?) throws -> Credentials? {
        if text(names.key) == nil, text(names.secret) == nil { return nil }
        return try Credentials(names, place, text)
    }
}
