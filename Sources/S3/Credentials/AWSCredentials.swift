import Glibc
import Logging
import Synchronization

/// Credentials from where the AWS tools look for them (``CredentialsChain``), remembered.
///
/// They are read again some minutes before they end, when a file that they are from has changed, and when the engine has
/// refused them: by one thread, while others go on with what there is. Where that fails, what there is stays, as long
/// as it is valid.
final class AWSCredentials: CredentialsSource {
    /// Seconds before their end from which on credentials are renewed. Endpoints have new ones five minutes before.
    static let margin = 600
    /// Seconds between two tries to renew.
    static let pause = 30
    /// Seconds that other threads take the failure of one for their own, when there are no valid credentials.
    static let failurePause = 2

    private let chain: CredentialsChain
    private let now: @Sendable () -> Int
    private let logger: Logger
    private let state = Mutex(State())
    /// Held while credentials are looked for that everybody waits for. Before `state`.
    private let search = Mutex(())

    fileprivate struct State {
        var found: CredentialsChain.Found?
        var isRenewing = false
        var isRefused = false
        /// How the files were when they were looked at last, and when that was.
        var look: (stamp: [[Int]?], time: Int)?
        /// No renewal before.
        var pausedUntil = Int.min
        /// Why the last look for credentials has failed, and until when that is the answer to whoever has none.
        var failure: (error: any Error, until: Int)?
    }

    /// - Parameters:
    ///   - environment: the value of an environment variable.
    ///   - http: makes requests to the endpoints of containers and instances.
    ///   - now: Unix seconds.
    init(
        environment: @escaping AWSEnvironment,
        http: @escaping SimpleHTTP = simpleHTTP,
        now: @escaping @Sendable () -> Int = { time(nil) },
        logger: Logger
    ) {
        chain = CredentialsChain(environment: environment, http: http)
        self.now = now
        self.logger = logger
    }

    /// The credentials that are valid now.
    ///
    /// - Throws: ``CredentialsError`` when there are none, not even old ones.
    func credentials() throws -> Credentials {
        if let credentials = known() { return credentials }
        return try search.withLock { _ in
            // Another thread may have found them meanwhile, or not.
            let time = now()
            if let credentials = known() { return credentials }
            if let failure = state.withLock({ $0.failure }), time < failure.until { throw failure.error }
            return try find()
        }
    }

    /// Has them read again, when they are still those that it has.
    func refusedByEngine(_ credentials: Credentials) {
        state.withLock { state in
            if state.found?.credentials == credentials { state.isRefused = true }
        }
    }

    /// What is valid, renewed where this caller is to do so.
    private func known() -> Credentials? {
        let time = now()
        guard let (credentials, isDue) = state.withLock({ $0.valid(at: time) }) else { return nil }
        guard isDue else { return credentials }
        let isFirstFailure = state.withLock { $0.failure == nil }
        do {
            return try find()
        } catch {
            if isFirstFailure {
                let message: Logger.Message = "the credentials can't be renewed, the old ones stay in use"
                logger.warning(message, metadata: ["error": "\(error)"])
            }
            return credentials
        }
    }

    private func find() throws -> Credentials {
        do {
            let found = try chain.find()
            let time = now()
            guard found.credentials.isValid(at: time) else {
                throw CredentialsError("the credentials that were found have expired", mayPass: true)
            }
            state.withLock { state in
                state.found = found
                state.look = found.files.map { ($0.stamp, time) }
                state.isRenewing = false
                state.failure = nil
            }
            return found.credentials
        } catch {
            let until = now() + Self.failurePause
            state.withLock { state in
                state.failure = (error, until)
                state.isRenewing = false
            }
            throw error
        }
    }
}

extension AWSCredentials.State {
    /// What is in use, and whether this caller is to renew it.
    fileprivate mutating func valid(at time: Int) -> (Credentials, isDue: Bool)? {
        guard let found, found.credentials.isValid(at: time) else { return nil }
        let haveFilesChanged = haveFilesChanged(at: time)
        let isEnding = found.credentials.expiration.map { $0 - time < AWSCredentials.margin } ?? false
        let isDue = haveFilesChanged || (isEnding || isRefused) && time >= pausedUntil
        guard isDue, !isRenewing else { return (found.credentials, false) }
        isRenewing = true
        if isEnding || isRefused { pausedUntil = time + AWSCredentials.pause }
        isRefused = false
        return (found.credentials, true)
    }

    /// Looks at most once a second, and tells of each change once.
    private mutating func haveFilesChanged(at time: Int) -> Bool {
        guard let (files, _) = found?.files, let last = look, time != last.time, !isRenewing else { return false }
        let stamp = files.stamp
        look = (stamp, time)
        return stamp != last.stamp
    }
}
