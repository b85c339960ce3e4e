import Encoding

/// A profile's settings, from the credentials file and from the configuration.
struct Profile {
    let name: String
    private let parts: [(path: String, settings: INIFile.Settings)]
    /// Those of the section `[services NAME]` that the profile names.
    private let services: INIFile.Settings

    /// Ways to credentials that need another tool or service.
    private static let otherWays = [
        "credential_process", "sso_session", "sso_start_url", "sso_account_id", "web_identity_token_file",
        "credential_source", "source_profile", "login_session",
    ]

    /// - Parameters:
    ///   - parts: what is first counts before what is second.
    ///   - services: finds the settings of a section of services.
    init(
        name: String,
        parts: [(path: String, settings: INIFile.Settings)],
        services: (_ name: [UInt8]) -> INIFile.Settings?
    ) {
        self.name = name
        self.parts = parts
        self.services = parts.lazy.compactMap { $0.settings["services"] }.first.flatMap(services) ?? [:]
    }

    /// The region, if the profile has one.
    var region: String? { text("region") }

    /// The endpoint for S3, or for all services, if the profile has one ("Service-specific endpoints" of the AWS SDKs and
    /// Tools Reference Guide).
    var endpoint: String? {
        if text("ignore_configured_endpoint_urls")?.lowercased() == "true" { return nil }
        return Self.text(services["s3.endpoint_url"]) ?? text("endpoint_url")
    }

    private func text(_ setting: String) -> String? {
        parts.lazy.compactMap { Self.text($0.settings[setting]) }.first
    }

    private static func text(_ value: [UInt8]?) -> String? {
        value.flatMap { $0.isEmpty ? nil : String(decoding: $0, as: UTF8.self) }
    }

    /// The credentials that are written down in the profile; `nil` when it has nothing to do with credentials.
    ///
    /// - Throws: ``CredentialsError`` for half of a pair, and for a profile that the AWS tools would get credentials for
    ///   in a way that is not known here.
    func credentials() throws -> Credentials? {
        // With a role, the tools would not sign with keys that stand beside it.
        if let path = path(with: "role_arn") { throw unknownWay("role_arn", path) }
        for (path, settings) in parts {
            let key = settings["aws_access_key_id"], secret = settings["aws_secret_access_key"]
            guard key != nil || secret != nil else { continue }
            let place = "in profile '\(printable(name.utf8))' of \(path)"
            return try Credentials(
                accessKey: ("aws_access_key_id \(place)", key),
                secretKey: ("aws_secret_access_key \(place)", secret),
                sessionToken: ("aws_session_token \(place)", settings["aws_session_token"])
            )
        }
        for way in Self.otherWays {
            if let path = path(with: way) { throw unknownWay(way, path) }
        }
        return nil
    }

    private func path(with setting: String) -> String? {
        parts.first { $0.settings[setting] != nil }?.path
    }

    private func unknownWay(_ setting: String, _ path: String) -> CredentialsError {
        CredentialsError(
            "profile '\(printable(name.utf8))' of \(path) has \(setting), which is not supported: expected "
                + "aws_access_key_id and aws_secret_access_key"
        )
    }
}

extension Credentials {
    /// Checks what comes from outside. Each text is with a name for messages; an empty one counts as absent.
    init(
        accessKey: (name: String, bytes: [UInt8]?),
        secretKey: (name: String, bytes: [UInt8]?),
        sessionToken: (name: String, bytes: [UInt8]?),
        expiration: Int? = nil
    ) throws {
        func checked(_ text: (name: String, bytes: [UInt8]?)) throws -> String? {
            guard let bytes = text.bytes, !bytes.isEmpty else { return nil }
            guard bytes.count <= 16384, isVisible(bytes) else {
                throw CredentialsError("\(text.name) has white space, a control character or more than 16384 bytes")
            }
            return String(decoding: bytes, as: UTF8.self)
        }
        guard let key = try checked(accessKey) else { throw CredentialsError("\(accessKey.name) is missing") }
        guard let secret = try checked(secretKey) else { throw CredentialsError("\(secretKey.name) is missing") }
        let token = try checked(sessionToken)
        self.init(accessKey: key, secretKey: secret, sessionToken: token, expiration: expiration)
    }
}
