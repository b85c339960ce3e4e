#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
import AsyncHTTPClient
import NIOHTTP1
import NIOSSL

/// Faults of a connection that a retry does not cure, in plain words.
enum PermanentFault {
    /// Returns what is wrong; `nil` if a retry may help.
    static func message(of error: any Error, url: String) -> String? {
        switch error {
        case let error as HTTPClientError: message(of: error)
        case let error as NIOSSLExtraError: message(of: error, url: url)
        case HTTPParserError.invalidConstant, HTTPParserError.invalidVersion:
            "the server does not speak HTTP; if its port expects TLS, the URL must begin with https://"
        default: alert(in: "\(error)")
        }
    }

    private static func message(of error: HTTPClientError) -> String? {
        if error == .proxyAuthenticationRequired { return "the proxy requires a user name and password" }
        return [.invalidURL, .emptyHost, .alreadyShutdown].contains(error) ? "\(error)" : nil
    }

    private static func message(of error: NIOSSLExtraError, url: String) -> String? {
        guard
            [.failedToValidateHostname, .serverHostnameImpossibleToMatch, .invalidSNIHostname].contains(error)
        else { return nil }
        let host = URL(string: url)?.host() ?? url
        return "the server's certificate is not for the host '\(host)' of the URL (\(error))"
    }

    /// A failed handshake has no codes, and it also fails when a server stops during it. Only the names of BoringSSL's
    /// reasons in the error's text distinguish them (`SSL_R_…` in its ssl.h).
    private static func alert(in text: String) -> String? {
        reasons.first { reason in reason.names.contains { text.contains($0) } }?.message
    }

    private static let reasons: [(names: [String], message: String)] = [
        (["CERTIFICATE_VERIFY_FAILED"], "the server's certificate is not trusted, or has expired"),
        (
            ["WRONG_VERSION_NUMBER"],
            "the server does not speak TLS; if its port expects plain HTTP, the URL must begin with http://"
        ),
        (["CERTIFICATE_REQUIRED"], "the server requires a client certificate"),
        (
            [
                "ALERT_BAD_CERTIFICATE", "ALERT_UNSUPPORTED_CERTIFICATE", "ALERT_CERTIFICATE_REVOKED",
                "ALERT_CERTIFICATE_EXPIRED", "ALERT_CERTIFICATE_UNKNOWN", "ALERT_UNKNOWN_CA", "ALERT_ACCESS_DENIED",
            ],
            "the server refuses the client certificate"
        ),
        // Before TLS 1.3, a server also answers this if it requires a certificate.
        (
            ["ALERT_HANDSHAKE_FAILURE"],
            "the server refuses the TLS handshake: it requires a client certificate, or supports none of the ciphers"
        ),
        (
            ["ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "ALERT_INSUFFICIENT_SECURITY"],
            "the server supports none of the TLS versions of the client"
        ),
        (["UNRECOGNIZED_NAME"], "the server does not serve the host of the URL"),
    ]
}
