import Foundation

/// Kills the process groups that this process has started and not ended, once it is gone, however it went, and removes what
/// its tests share: a run of the tests that is killed leaves no server behind.
///
/// PR_SET_PDEATHSIG (prctl(2)) can't serve: it is sent when the thread ends that has forked, and threads of a pool do.
final class OrphanWatcher: Sendable {
    static let shared = OrphanWatcher()

    /// Told of the groups and folders. Closed by the kernel when this process is gone, which ends the watcher's input.
    private let socket: Int32

    /// Bash, since each line that has come is in its variables by the end.
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
