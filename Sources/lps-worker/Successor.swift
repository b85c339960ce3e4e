import FastCGI
import Glibc
import PayloadStore

/// The process that goes on in this one's place, with its id and its sockets: the same program, or what an upgrade has
/// put there.
enum Successor {
    /// Names the descriptor of a socket that this process's predecessor has bound.
    private static let variable = "LPS_HANDED_OVER"
    /// Names the descriptor with which it has kept what is counted of namespaces.
    private static let epochVariable = "LPS_HANDED_OVER_EPOCH"

    /// Runs the program again, with the same arguments (execve(2)). Clients go on to connect meanwhile: the kernel keeps
    /// them waiting.
    ///
    /// - Returns: why it could not be done; else not at all.
    static func replaceProcess(_ listeners: [Listener], _ store: PayloadStore) -> any Error {
        do {
            for listener in listeners {
                let descriptor = try listener.keepForSuccessor()
                if listener.isOwn { setenv(variable, "\(descriptor)", 1) }
            }
            if let descriptor = try store.handOverCounts() { setenv(epochVariable, "\(descriptor)", 1) }
        } catch {
            return error
        }
        let program = CommandLine.arguments.first ?? "lps-worker"
        var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
        // ETXTBSY: someone is still writing the program, or a process that they have just started has it open.
        for _ in 0..<100 {
            execvp(program, &arguments)
            guard errno == ETXTBSY else { break }
            usleep(20_000)
        }
        return ConfigurationError("run \(program) again: \(String(cString: strerror(errno)))")
    }

    /// The socket for `address` that this process's predecessor has bound; `nil` when there was none.
    static func inherited(_ address: ListenAddress) throws(FastCGIError) -> Listener? {
        guard let text = getenv(variable).map({ String(cString: $0) }) else { return nil }
        unsetenv(variable)
        return try Listener(handedOver: Int32(text) ?? -1, address)
    }

    /// What this process's predecessor has left of the store's counts; to be asked for before any file is opened.
    static func handedOverEpoch() -> HandedOverEpoch? {
        guard let text = getenv(epochVariable).map({ String(cString: $0) }) else { return nil }
        unsetenv(epochVariable)
        guard let descriptor = Int32(text) else { return nil }
        return HandedOverEpoch(descriptor)
    }
}
