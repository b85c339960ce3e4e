import Encoding
import Glibc
import Logging
import Synchronization

/// A client of one bucket, for threads that wait.
///
/// Safe to use from many threads. Requests that fail for what may pass are sent again, as ``S3Limits`` says. Copies share
/// their connections, and what they learn of the engine.
public struct S3Client: Sendable {
    /// Where the bucket is.
    public let location: S3Location
    let credentials: any CredentialsSource
    let limits: S3Limits
    let logger: Logger
    let signer: SigV4Signer
    let outage: Outage
    let connections = HTTPConnections()
    /// Unix seconds.
    let now: @Sendable () -> Int
    private let capabilities = SharedCapabilities()
    /// ``until(_:)``
    private(set) var deadline: ContinuousClock.Instant?

    /// Makes a client; connects to nothing yet.
    ///
    /// - Parameter now: Unix seconds.
    public init(
        _ location: S3Location,
        credentials: any CredentialsSource,
        limits: S3Limits = S3Limits(),
        logger: Logger,
        now: @escaping @Sendable () -> Int = { time(nil) }
    ) {
        self.location = location
        self.credentials = credentials
        self.limits = limits
        self.logger = logger
        outage = Outage(after: limits.outageAfter)
        signer = SigV4Signer(region: location.region)
        self.now = now
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

    /// Does something again until it succeeds, its failure is not the engine's or does not pass, or the time for it has
    /// passed.
    ///
    /// - Parameter progress: how far it has come: when further than before, the time begins again.
    func retrying<Value>(progress: () -> UInt64 = { 0 }, _ attempt: () throws -> Value) throws -> Value {
        // While the engine is away, others will ask again.
        let isOnce = outage.isOn
        var backoff = Backoff(limits, until: deadline)
        var hasOtherCredentials = false
        while true {
            let before = progress()
            do {
                return try attempt()
            } catch let error as S3Error {
                if progress() > before { backoff.restart() }
                switch error.remedy {
                case .giveUp: throw error
                case .again(let least):
                    guard !isOnce, let wait = backoff.next(atLeast: least) else { throw error }
                    logger.debug("\(error); again in \(wait.milliseconds) ms")
                    wait.sleep()
                case .otherCredentials(let refused):
                    guard !hasOtherCredentials, try areOther(than: refused) else { throw error }
                    hasOtherCredentials = true
                    logger.info("\(error); again with other credentials")
                }
            }
        }
    }

    private func areOther(than refused: Credentials) throws -> Bool {
        credentials.refusedByEngine(refused)
        let other = try currentCredentials("credentials")
        return other.accessKey != refused.accessKey || other.secretKey != refused.secretKey
            || other.sessionToken != refused.sessionToken
    }

    func currentCredentials(_ operation: String) throws -> Credentials {
        do {
            return try credentials.credentials()
        } catch {
            throw failure(.credentials, operation, "\(error)", mayPass: (error as? CredentialsError)?.mayPass ?? false)
        }
    }

    /// An error of an operation, with the bucket and its host.
    ///
    /// - Parameter remedy: `nil`: another try, when it may pass.
    func failure(
        _ code: S3Error.Code,
        _ operation: String,
        _ text: String,
        mayPass: Bool = false,
        _ remedy: S3Error.Remedy? = nil
    ) -> S3Error {
        let text = "bucket \(location.bucket) at \(location.host): \(operation): \(printable(text.utf8))"
        return S3Error(code, text, mayPass: mayPass, remedy: remedy ?? (mayPass ? .again() : .giveUp))
    }

    func malformed(_ operation: String, _ text: String) -> S3Error {
        failure(.malformedAnswer, operation, text)
    }
}

/// What all copies of a client know of their engine.
private final class SharedCapabilities: Sendable {
    let known = Mutex(EngineCapabilities())
}
