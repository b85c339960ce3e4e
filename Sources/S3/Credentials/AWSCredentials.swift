import Glibc
import Logging
import Synchronization

/// Caches credentials from where the AWS tools look for them (``CredentialsChain``).
///
/// One thread reads them again ten minutes before they expire, when their file changes, and when the engine refuses
/// them; meanwhile, other threads use the current ones. If that fails, the current ones stay in use until they expire.
final class AWSCredentials: CredentialsSource {
    /// How many seconds before their expiration credentials are renewed. Endpoints have new ones five minutes before.
    static let margin = 600
    /// The minimum number of seconds between two renewals.
    static let pause = 30
    /// For how many seconds a failed search answers other threads, if there are no valid credentials.
    static let failurePause = 2

    private let chain: CredentialsChain
    private let now: @Sendable () -> Int
    private let logger: Logger
    private let state = Mutex(State())
    /// Held during a search that all threads wait for. Lock it before `state`.
    private let search = Mutex(())

    fileprivate struct State {
        var found: CredentialsChain.Found?
        var isRenewing = false
        var isRefused = false
        /// The files' stamp at the last check, and the time of that check.
        var look: (stamp: [[Int]?], time: Int)?
        /// The earliest time of the next renewal.
        var pausedUntil = Int.min
        /// Why the last search failed, and until when that failure answers threads without credentials.
        var failure: (error: any Error, until: Int)?
    }

    /// - Parameters:
    ///   - environment: returns the value of an environment variable.
    ///   - http: sends requests to the endpoints of containers and instances.
    ///   - now: returns the current time in Unix seconds.
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

    /// The credentials that are currently valid.
    ///
    /// - Throws: ``CredentialsError`` if there are no valid credentials.
    func credentials() throws -> Credentials {
        if let credentials = known() { return credentials }
        return try search.withLock { _ in
            // Another thread may have searched in the meantime, with or without success.
            let time = now()
            if let credentials = known() { return credentials }
            if let failure = state.withLock({ $0.failure }), time < failure.until { throw failure.error }
            return try find()
        }
    }

    /// Reads the credentials again before their next use, unless they have been replaced since.
    func refusedByEngine(_ credentials: Credentials) {
        state.withLock { state in
            if state.found?.credentials == credentials { state.isRefused = true }
        }
    }

    /// The valid credentials, renewed if it is this caller's turn.
    private func known() -> Credentials? {
        let time = now()
        guard let (credentials, isDue) = state.withLock({ $0.valid(at: time) }) else { return nil }
        guard isDue else { return credentials }
        let isFirstFailure = state.withLock { $0.failure == nil }
        do {
            return try find()
        } catch {
            if isFirstFailure {
                let message: Logger.Message = "credentials not renewed, old ones stay in use"
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
                throw CredentialsError("the credentials found have expired", mayPass: true)
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
    /// The valid credentials, and whether this caller must renew them.
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

    /// Checks the files at most once a second, and reports each change once.
    private mutating func haveFilesChanged(at time: Int) -> Bool {
        guard let (files, _) = found?.files, let last = look, time != last.time, !isRenewing else { return false }
        let stamp = files.stamp
        look = (stamp, time)
        return stamp != last.stamp
    }
}
