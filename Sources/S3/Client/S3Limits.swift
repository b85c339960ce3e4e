/// How long a client waits for its engine.
public struct S3Limits: Sendable {
    /// For a connection, with the look-up of the host's name and TLS.
    public var connectTimeout: Duration = .seconds(5)
    /// How long nothing may come or go before a request is given up, in whole seconds. Where the engine has much to do
    /// before it answers, more.
    public var stallTime: Duration = .seconds(10)
    /// How long after an operation's begin its requests are sent again. A read counts from the last byte that came.
    /// What was begun by then goes on.
    public var retryFor: Duration = .seconds(20)
    /// Each wait is a random part of this, doubled for each try.
    public var backoff: Duration = .milliseconds(100)
    /// The longest wait that an engine has not asked for.
    public var longestBackoff: Duration = .seconds(5)
    /// How long all requests must have failed, for those that come then to be few, and not sent again.
    var outageAfter: Duration = .seconds(5)
    /// How long any request may take.
    var total: Duration?
    /// A file of trusted authorities in place of the environment's.
    var authorities: String?
    /// How many objects a page of a listing may have; `nil`: as the engine likes it.
    var pageSize: Int?

    /// The defaults.
    public init() {}
}
