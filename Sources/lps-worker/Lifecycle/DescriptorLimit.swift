import Glibc
import Logging

/// The limit of open files (getrlimit(2), RLIMIT_NOFILE).
enum DescriptorLimit {
    private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)

    /// Raises the soft limit as far as the system allows: open folders, connections and files take descriptors. The usual
    /// limit of 1024 exists for select(2), which the worker does not use.
    static func raise(toServe settings: Settings, _ logger: Logger) {
        var limit = rlimit()
        // A quarter of the limit is for folders that stay open.
        let needed = rlim_t(settings.mostOpenFiles) / 3 * 4
        let wanted = max(16384, needed)
        guard getrlimit(resource, &limit) == 0 else { return }
        if limit.rlim_cur < wanted {
            limit.rlim_cur = min(limit.rlim_max, wanted)
            if setrlimit(resource, &limit) != 0 {
                logger.warning("cannot raise the open file limit", metadata: ["errno": "\(errno)"])
            }
        }
        guard getrlimit(resource, &limit) == 0, limit.rlim_cur < needed else { return }
        logger.warning(
            "open file limit too low for the number of threads",
            metadata: ["limit": "\(limit.rlim_cur)", "needed": "\(needed)", "threads": "\(settings.threads.value)"]
        )
    }
}
