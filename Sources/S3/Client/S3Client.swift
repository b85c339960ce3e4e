import Glibc
import Logging
import PayloadKey
import Synchronization

/// A client of one bucket, for threads that wait.
///
/// Safe to use from many threads: each has its own connection, which is kept for its next request. Requests that fail
/// for what may pass are sent again, as ``S3Limits`` says. Copies share what they learn of the engine.
public struct S3Client: Sendable {
    /// Where the bucket is.
    public let location: S3Location
    let credentials: any CredentialsSource
    let limits: S3Limits
    let logger: Logger
    let signer: SigV4Signer
    let outage: Outage
    /// Unix seconds.
    let now: @Sendable () -> Int
    private let capabilities = SharedCapabilities()
    /// ``until(_:)``
    private(set) var deadline: ContinuousClock.Instant?

    /// Makes a client; connects to nothing yet.
    public init(
        _ location: S3Location,
        credentials: any CredentialsSource,
        limits: S3Limits = S3Limits(),
        logger: Logger
    ) {
        self.init(location, credentials: credentials, limits: limits, logger: logger, now: { time(nil) })
    }

    /// Makes a client with credentials, and trusted authorities (`AWS_CA_BUNDLE`), from where the AWS tools have them.
    ///
    /// - Parameter environment: the value of an environment variable.
    public init(_ location: S3Location, environment: @escaping AWSEnvironment, logger: Logger) {
        var limits = S3Limits()
        limits.authorities = HTTPHandle.authorities(environment)
        let credentials = AWSCredentials(environment: environment, logger: logger)
        self.init(location, credentials: credentials, limits: limits, logger: logger)
    }

    init(
        _ location: S3Location,
        credentials: any CredentialsSource,
        limits: S3Limits,
        logger: Logger,
        now: @escaping @Sendable () -> Int
    ) {
        self.location = location
        self.credentials = credentials
        self.limits = limits
        self.logger = logger
        outage = Outage(after: limits.outageAfter)
        signer = SigV4Signer(region: location.region)
        self.now = now
    }

    /// This client, for a caller that waits until a deadline: no request begins after it, and none outlasts it but
    /// the content that ``read(_:_:_:)`` streams. `nil`: only ``S3Limits`` hold, as for a client that was just made.
    public func until(_ deadline: ContinuousClock.Instant?) -> S3Client {
        var client = self
        client.deadline = deadline
        return client
    }

    /// What the engine can do, as far as is known by now.
    package var engine: EngineCapabilities { capabilities.known.withLock { $0 } }

    package func learn(_ change: (inout EngineCapabilities) -> Void) { capabilities.known.withLock { change(&$0) } }

    /// Does something again until it succeeds, its failure is one that does not pass, or the time for it has passed.
    ///
    /// - Parameter hasProgressed: whether something has come since it was last asked, so that the time begins anew.
    func retrying<Result>(
        hasProgressed: () -> Bool = { false },
        _ attempt: () throws(AttemptFailure) -> Result
    ) throws(AttemptFailure) -> Result {
        // While the engine is away, others will ask again.
        let isOnce = outage.isOn
        var backoff = Backoff(limits, until: deadline)
        var hasOtherCredentials = false
        while true {
            let failure: AttemptFailure
            do throws(AttemptFailure) {
                return try attempt()
            } catch {
                failure = error
            }
            if hasProgressed() { backoff.restart() }
            guard case .engine(let error, let remedy) = failure else { throw failure }
            switch remedy {
            case .none: throw failure
            case .again(let least):
                guard !isOnce, let wait = backoff.next(atLeast: least) else { throw failure }
                logger.debug("\(error); again in \(wait.milliseconds) ms")
                wait.sleep()
            case .otherCredentials(let refused):
                guard !hasOtherCredentials, try areOther(than: refused) else { throw failure }
                hasOtherCredentials = true
                logger.info("\(error); again with other credentials")
            }
        }
    }

    private func areOther(than refused: Credentials) throws(AttemptFailure) -> Bool {
        credentials.refusedByEngine(refused)
        let other = try currentCredentials("credentials")
        return other.accessKey != refused.accessKey || other.secretKey != refused.secretKey
            || other.sessionToken != refused.sessionToken
    }

    func currentCredentials(_ operation: String) throws(AttemptFailure) -> Credentials {
        do {
            return try credentials.credentials()
        } catch {
            let isPassing = error.mayPass
            throw .engine(
                failure(.credentials, operation, error.description, mayPass: isPassing),
                isPassing ? .again(after: .zero) : .none
            )
        }
    }

    /// An error of an operation, with the bucket and its host.
    func failure(_ code: S3Error.Code, _ operation: String, _ text: String, mayPass: Bool = false) -> S3Error {
        S3Error(
            code,
            "bucket \(location.bucket) at \(location.host): \(operation): \(printable(text.utf8))",
            mayPass: mayPass
        )
    }
}

/// What all copies of a client know of their engine.
private final class SharedCapabilities: Sendable {
    let known = Mutex(EngineCapabilities())
}
