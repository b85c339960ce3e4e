import FastCGI
import Glibc
import Logging
import PayloadService
import PayloadStore

/// A worker process, from its start to the end of its last request.
struct Worker {
    private let configuration: Configuration
    private let logger: Logger

    init(_ configuration: Configuration) {
        self.configuration = configuration
        var logger = Logger(label: "lps-worker") { _ in LogfmtHandler() }
        logger.logLevel = configuration.logLevel
        self.logger = logger
    }

    /// - Throws: an error whose description is one line, when the worker can't start.
    func run() throws {
        // Before any thread is made: each inherits the mask, and one waits for the signals.
        let signals = StopSignals()
        raiseDescriptorLimit()
        let policy = configuration.policy
        let store = try PayloadStore(
            path: configuration.store,
            reserve: configuration.reserve,
            quota: { policy[$0].quota },
            logger: logger
        )
        let listeners = try self.listeners()
        let gateway = Gateway(
            service: PayloadService(
                store: store,
                maximumPayload: configuration.maximumPayload,
                codec: configuration.codec,
                logger: logger
            ),
            logger: logger
        )
        let pool = try WorkerPool(listeners: listeners, threads: configuration.threads, logger: logger) { request in
            gateway.serve(request)
        }
        try signals.watch { signal in
            logger.notice("stopping: finishing the requests under way", metadata: ["signal": "\(signal)"])
            notifySystemd("STOPPING=1")
            pool.stop()
        }
        try store.reportStrayFiles()
        try store.sweepIncoming()
        try pool.run {
            logger.notice(
                "serving",
                metadata: [
                    "version": "\(version)", "store": "\(store.path)", "threads": "\(configuration.threads)",
                    "listen": "\(listeners.map(\.name).joined(separator: " "))", "reserve": "\(store.reserve)",
                    "max_payload": "\(configuration.maximumPayload)",
                ]
            )
            notifySystemd("READY=1")
        }
        logger.notice("stopped: every request under way was answered")
    }

    private func listeners() throws(ConfigurationError) -> [Listener] {
        let inherited: [Listener]
        do throws(FastCGIError) {
            if let address = configuration.listen {
                return [try Listener(binding: address, access: configuration.access)]
            }
            inherited = try Listener.inherited()
        } catch {
            throw ConfigurationError("\(error)")
        }
        guard !inherited.isEmpty else {
            throw ConfigurationError(
                "nothing to listen on: give --listen (LPS_LISTEN), or start with a systemd or spawn-fcgi socket"
            )
        }
        return inherited
    }

    /// Folders that stay open, connections and files take descriptors; the usual soft limit of 1024 is there for
    /// select(2), which nothing here uses.
    private func raiseDescriptorLimit() {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        let wanted: rlim_t = 16384
        guard getrlimit(resource, &limit) == 0, limit.rlim_cur < wanted else { return }
        limit.rlim_cur = min(limit.rlim_max, wanted)
        if setrlimit(resource, &limit) != 0 {
            logger.warning("can't raise the limit of open files", metadata: ["errno": "\(errno)"])
        }
    }
}
