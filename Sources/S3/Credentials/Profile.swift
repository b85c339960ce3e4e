import Encoding

/// A profile's settings, from the credentials and the configuration file.
struct Profile {
    let name: String
    /// The first takes precedence.
    let parts: [(path: String, settings: INIFile.Settings)]
    /// The settings of the section `[services NAME]` that the profile names.
    let services: INIFile.Settings

    /// Settings that obtain credentials from another tool or service.
    private static let otherWays = [
        "credential_process", "sso_session", "sso_start_url", "sso_account_id", "web_identity_token_file",
        "credential_source", "source_profile", "login_session",
    ]

    /// The region, if the profile has one.
    var region: String? { text("region") }

    /// The endpoint for S3, or else for all services, if the profile has one ("Service-specific endpoints" in the AWS
    /// SDKs and Tools Reference Guide).
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

    /// The credentials stored in the profile; `nil` if it has none and no setting to obtain them.
    ///
    /// - Throws: ``CredentialsError`` if one of the two keys is missing, or if the profile obtains credentials in an
    ///   unsupported way.
    func credentials() throws -> Credentials? {
        // If a profile has a role, the AWS tools do not sign with its keys.
        try refuse("role_arn")
        for (path, settings) in parts {
            let names = (key: "aws_access_key_id", secret: "aws_secret_access_key", token: "aws_session_token")
            let place = " in profile '\(printable(name.utf8))' of \(path)"
            if let written = try Credentials.written(names, place, { settings[$0] }) { return written }
        }
        for way in Self.otherWays { try refuse(way) }
        return nil
    }

    private func refuse(_ setting: String) throws {
        guard let path = parts.first(where: { $0.settings[setting] != nil })?.path else { return }
        throw CredentialsError(
            "profile '\(printable(name.utf8))' of \(path) has \(setting), which is not supported: use "
                + "aws_access_key_id and aws_secret_access_key"
        )
    }
}
