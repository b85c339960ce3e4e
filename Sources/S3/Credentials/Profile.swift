import Encoding

/// A profile's settings, from the credentials file and from the configuration.
struct Profile {
    let name: String
    /// The first counts before the second.
    let parts: [(path: String, settings: INIFile.Settings)]
    /// Those of the section `[services NAME]` that the profile names.
    let services: INIFile.Settings

    /// Ways to credentials that need another tool or service.
    private static let otherWays = [
        "credential_process", "sso_session", "sso_start_url", "sso_account_id", "web_identity_token_file",
        "credential_source", "source_profile", "login_session",
    ]

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
            "profile '\(printable(name.utf8))' of \(path) has \(setting), which is not supported: expected "
                + "aws_access_key_id and aws_secret_access_key"
        )
    }
}
