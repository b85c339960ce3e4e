import Encoding
import Glibc
import HTTP
import Logging
import Synchronization

/// A blocking client of one bucket.
///
/// Safe to use from many threads. Retries temporary failures within ``S3Limits``. Copies of a client share connections
/// and what they have learned about the engine.
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
    /// The caller's deadline (``until(_:)``).
    private(set) var deadline: ContinuousClock.Instant?

    /// Makes a client without connecting.
    ///
    /// - Parameter now: returns the current time in Unix seconds.
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

    /// Makes a client whose credentials and trusted certificate authorities (`AWS_CA_BUNDLE`) come from where the AWS
    /// tools look.
    ///
    /// - Parameter environment: returns the value of an environment variable.
    public init(_ location: S3Location, environment: @escaping AWSEnvironment, logger: Logger) {
        var limits = S3Limits()
        limits.request.authorities = S3Limits.authorities(environment)
        let credentials = AWSCredentials(environment: environment, logger: logger)
        self.init(location, credentials: credentials, limits: limits, logger: logger)
    }

    /// A copy of this client with a deadline: no request begins after it, and only the content that ``read(_:_:_:)``
    /// streams may arrive later. With `nil`, only ``S3Limits`` apply, as for a new client.
    public func until(_ deadline: ContinuousClock.Instant?) -> S3Client {
        var client = self
        client.deadline = deadline
        return client
    }

    /// The engine's capabilities known so far.
    package var engine: EngineCapabilities { capabilities.known.withLock { $0 } }

    package func learn(_ change: (inout EngineCapabilities) -> Void) { capabilities.known.withLock { change(&$0) } }

    /// Repeats an operation until it succeeds, fails permanently or for a reason other than the engine, or runs out of
    /// time.
    ///
    /// - Parameter progress: returns the operation's progress. If it has grown, the time for retries restarts.
    func retrying<Value>(progress: () -> UInt64 = { 0 }, _ attempt: () throws -> Value) throws -> Value {
        // During an outage, later requests will try the engine.
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
                    let fields: Logger.Metadata = ["error": "\(error)", "wait_ms": "\(wait.milliseconds)"]
                    logger.debug("request to the engine failed, retrying", metadata: fields)
                    wait.sleep()
                case .otherCredentials(let refused):
                    guard !hasOtherCredentials, try areOther(than: refused) else { throw error }
                    hasOtherCredentials = true
                    logger.info("credentials refused, retrying with others", metadata: ["error": "\(error)"])
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

    /// An error of an operation, with the bucket and the host in its description.
    ///
    /// - Parameter remedy: `nil` means: try again if `mayPass`, otherwise give up.
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

/// The engine's capabilities, shared by all copies of a client.
private final class SharedCapabilities: Sendable {
    let known = Mutex(EngineCapabilities())
}
