import Foundation

/// Kills the process groups that this process started, and removes the folders that its tests share, however this
/// process ended: a killed test run leaves no server behind.
///
/// PR_SET_PDEATHSIG (prctl(2)) is unsuitable: it is sent when the thread that forked ends, and a pool's threads end.
final class OrphanWatcher: Sendable {
    static let shared = OrphanWatcher()

    /// Carries the groups and folders to the watcher, whose input ends when the kernel closes this process's socket.
    private let socket: Int32

    /// Bash collects the lines in its variables until its input ends.
    private static let script = """
        declare -A groups
        folders=()
        while read -r verb what; do
            case $verb in
                add) groups[$what]=1 ;;
                remove) unset "groups[$what]" ;;
                folder) folders+=("$what") ;;
            esac
        done
        for group in "${!groups[@]}"; do kill -KILL -- "-$group"; done
        rm -rf "${folders[@]}"
        """

    private init() {
        var ends: [Int32] = [-1, -1]
        socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends)
        socket = ends[0]
        _ = try? spawn("/bin/bash", ["-c", Self.script], environment: [:], standardInput: ends[1], log: "/dev/null")
        close(ends[1])
    }

    func add(_ group: pid_t) { tell("add \(group)\n") }
    func remove(_ group: pid_t) { tell("remove \(group)\n") }
    func add(_ folder: TemporaryFolder) { tell("folder \(folder.path)\n") }

    private func tell(_ line: String) {
        _ = Array(line.utf8).withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }
}
