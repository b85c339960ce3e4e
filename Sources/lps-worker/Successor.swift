import FastCGI
import Glibc
import DiskStore
import Storage
import Synchronization

/// The process that goes on in this one's place, with its id and its sockets: the same program, or what an upgrade has
/// put there.
enum Successor {
    /// Names a socket that this process's predecessor has bound: descriptor, `:`, address.
    private static let variable = "LPS_HANDED_OVER"
    /// Names the descriptor with which it has kept what is counted of namespaces.
    private static let epochVariable = "LPS_HANDED_OVER_EPOCH"

    /// Runs the program again, with the same arguments (execve(2)). Clients go on to connect meanwhile: the kernel keeps
    /// them waiting.
    ///
    /// - Returns: why it could not be done; else not at all.
    static func replaceProcess(_ listeners: [Listener], _ store: any PayloadStorage) -> any Error {
        do {
            try closeOwnOnExecution()
            for listener in listeners {
                let descriptor = try listener.keepForSuccessor()
                if listener.isOwn { setenv(variable, "\(descriptor):\(listener.name)", 1) }
            }
            if let descriptor = try (store as? DiskStore)?.handOverCounts() {
                setenv(epochVariable, "\(descriptor)", 1)
            }
        } catch {
            return error
        }
        var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
        // An upgrade may be replacing the program just now: not there for a moment, or still being written, or open in
        // a process that the installer has just started (ETXTBSY). Or the system lacks memory for a moment, or the disk
        // fails for once: whatever it is, without a successor this process is lost to the pool.
        var reason = ""
        for _ in 0..<250 {
            execvp(program, &arguments)
            reason = String(cString: strerror(errno))
            usleep(20_000)
        }
        return ExecutionFailure(reason: reason)
    }

    /// Descriptors that this process was started with: whoever started it may mean them to stay open.
    private static let given = Mutex<Set<Int32>>([])

    /// Remembers what is open now, before anything else is.
    static func rememberGivenDescriptors() throws(ConfigurationError) {
        let open = try openDescriptors()
        given.withLock { $0 = open }
    }

    /// Has execve(2) close what this process has opened; libraries don't always.
    private static func closeOwnOnExecution() throws(ConfigurationError) {
        for descriptor in try openDescriptors().subtracting(given.withLock { $0 }) {
            // One that another thread has closed since is none.
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        }
    }

    private static func openDescriptors() throws(ConfigurationError) -> Set<Int32> {
        guard let folder = opendir("/proc/self/fd") else { throw .system("read /proc/self/fd") }
        defer { closedir(folder) }
        var found: Set<Int32> = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if let descriptor = Int32(name), descriptor != dirfd(folder) { found.insert(descriptor) }
        }
        return found
    }

    /// Takes what this process's predecessor has bound, once.
    ///
    /// - Returns: the socket for `address`; `nil` when there is none, or one for another address, which is closed then.
    static func inherited(_ address: ListenAddress?, _ access: Listener.Access) throws -> Listener? {
        guard let text = getenv(variable).map({ String(cString: $0) }) else { return nil }
        unsetenv(variable)
        guard let colon = text.firstIndex(of: ":"), let descriptor = Int32(text[..<colon]) else { return nil }
        let former = String(text[text.index(after: colon)...])
        guard let address, address.description == former else {
            close(descriptor)
            // Nobody serves it any more; only a socket's file goes this way.
            if former.hasPrefix("/") { unlink(former) }
            return nil
        }
        return try Listener(handedOver: descriptor, address, access: access)
    }

    private static var program: String { CommandLine.arguments.first ?? "lps-worker" }

    private struct ExecutionFailure: Error, CustomStringConvertible {
        let reason: String

        var description: String { "run \(Successor.program) again: \(reason)" }
    }

    /// What this process's predecessor has left of the store's counts; to be asked for before any file is opened.
    static func handedOverEpoch() -> HandedOverEpoch? {
        guard let text = getenv(epochVariable).map({ String(cString: $0) }) else { return nil }
        unsetenv(epochVariable)
        guard let descriptor = Int32(text) else { return nil }
        return HandedOverEpoch(descriptor)
    }
}
