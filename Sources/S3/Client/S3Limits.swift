import Glibc
import HTTP

/// The time limits of a client.
public struct S3Limits: Sendable {
    /// The limits of each request. Requests that make the engine work before it answers may stall for longer.
    public var request: RequestLimits
    /// The time from the start of an operation, or from the last byte that a read received, during which the client
    /// sends requests again. A request that began within it may end later.
    public var retryFor: Duration = .seconds(20)
    /// The upper limit of the first pause; it doubles with each try. Each pause is a random part of its limit.
    public var backoff: Duration = .milliseconds(100)
    /// The upper limit of a pause, unless the engine asks for a longer one.
    public var longestBackoff: Duration = .seconds(5)
    /// The time for which all requests must fail before the client limits their number and stops retrying.
    var outageAfter: Duration = .seconds(5)
    /// The most objects on a page of a listing; `nil` leaves it to the engine.
    var pageSize: Int?

    /// Sets the defaults, with the trusted certificate authorities that the process's environment names.
    public init() {
        request = RequestLimits(stallTime: .seconds(10))
        request.authorities = Self.authorities { getenv($0).map { String(cString: $0) } }
    }

    /// A file of trusted certificate authorities that replaces the system's: that of the AWS tools, curl or OpenSSL.
    static func authorities(_ environment: (String) -> String?) -> String? {
        let ofAWS = environment("AWS_CA_BUNDLE").flatMap { $0.isEmpty ? nil : $0 }
        return ofAWS ?? RequestLimits.authorities(environment)
    }
}
