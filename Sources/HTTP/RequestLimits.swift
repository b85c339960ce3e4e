import Glibc

/// The time limits of a request, and whom it trusts.
public struct RequestLimits: Sendable {
    /// The limit for connecting, including name resolution and TLS.
    public var connectTimeout: Duration = .seconds(5)
    /// The time without progress after which the request fails, in whole seconds.
    public var stallTime: Duration
    /// The limit for the whole request.
    package var total: Duration?
    /// A file of trusted certificate authorities that replaces the system's.
    package var authorities: String?

    /// Makes limits without one for the whole request, with the authorities that the process's environment names.
    ///
    /// - Parameter stallTime: the time without progress after which the request fails, in whole seconds.
    package init(stallTime: Duration) {
        self.stallTime = stallTime
        authorities = Self.authorities { getenv($0).map { String(cString: $0) } }
    }

    /// The file of trusted authorities that curl's or OpenSSL's variable names. libcurl itself reads neither.
    package static func authorities(_ environment: (String) -> String?) -> String? {
        ["CURL_CA_BUNDLE", "SSL_CERT_FILE"].lazy.compactMap(environment).first { !$0.isEmpty }
    }
}
