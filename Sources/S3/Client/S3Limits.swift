/// The time limits of a client.
public struct S3Limits: Sendable {
    /// The limit for connecting, including name resolution and TLS.
    public var connectTimeout: Duration = .seconds(5)
    /// The time without progress after which a request fails, in whole seconds. Requests that make the engine work
    /// before it answers get more.
    public var stallTime: Duration = .seconds(10)
    /// The time from the start of an operation, or from the last byte that a read received, during which the client
    /// sends requests again. A request that began within it may end later.
    public var retryFor: Duration = .seconds(20)
    /// The upper limit of the first pause; it doubles with each try. Each pause is a random part of its limit.
    public var backoff: Duration = .milliseconds(100)
    /// The upper limit of a pause, unless the engine asks for a longer one.
    public var longestBackoff: Duration = .seconds(5)
    /// The time for which all requests must fail before the client limits their number and stops retrying.
    var outageAfter: Duration = .seconds(5)
    /// The limit for a whole request.
    var total: Duration?
    /// A file of trusted certificate authorities, instead of the one that the environment names.
    var authorities: String?
    /// The most objects on a page of a listing; `nil` leaves it to the engine.
    var pageSize: Int?

    /// Sets the defaults.
    public init() {}
}
