import FastCGI
import Logging
import PayloadKey
import Storage

extension Configuration {
    /// Opens the store; a bucket is not asked yet.
    ///
    /// - Parameter quota: the most bytes that a namespace may have; `nil` for any number.
    func openStore(quota: @escaping @Sendable (Namespace) -> UInt64?, _ logger: Logger) throws -> any PayloadStorage {
        try store.open(reserve: settings.reserve.value, otherFiles: mostOpenFiles, quota: quota, logger)
    }

    /// The sockets to serve: the worker's own, or those that it was started with.
    func listeners() throws -> [Listener] {
        let listeners: [Listener]
        do {
            listeners =
                if let address = settings.listen.value {
                    [try Listener(binding: address, access: access)]
                } else {
                    try Listener.inherited()
                }
        } catch {
            throw ConfigurationError(error)
        }
        guard !listeners.isEmpty else {
            throw ConfigurationError(
                "nothing to listen on: give --listen (LPS_LISTEN), or start with a systemd or spawn-fcgi socket"
            )
        }
        return listeners
    }
}
