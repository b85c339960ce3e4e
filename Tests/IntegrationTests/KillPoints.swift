/// A moment at which a process is killed: as one of its threads begins a system call.
///
/// strace(1) sends the signal at the call's entry, and the kernel does not make a call of a thread that is to die. What
/// the call before has done is done. So the point at a call is just before it, and just after the thread's call before
/// it: `KilledCommandTests` shows both. Between two calls a thread changes nothing that outlives its process.
struct KillPoint: CustomStringConvertible, Hashable {
    let call: String
    /// Which of the thread's calls of this kind, from 1.
    let occurrence: Int

    var description: String { "killed at \(call) \(occurrence)" }

    init(_ call: TracedCall) {
        self.call = call.name
        occurrence = call.occurrence
    }

    /// Just before and just after each of a thread's calls.
    static func all(_ calls: [TracedCall]) -> [KillPoint] { calls.map(KillPoint.init) }

    /// Just before and just after calls of every kind: of those that change nothing `most`, of the others twice as many,
    /// evenly spread.
    static func some(_ calls: [TracedCall], most: Int) -> [KillPoint] {
        if TracedCall.isEveryOneTried { return all(TracedCall.distinct(calls)) }
        var chosen: Set<Int> = []
        for (_, indices) in Dictionary(grouping: calls.indices, by: { calls[$0].name }) {
            let changing = indices.filter { calls[$0].changesSomething }
            for (indices, most) in [(changing, 2 * most), (indices.filter { !changing.contains($0) }, most)] {
                let sampled = min(indices.count, most)
                for number in 0..<sampled {
                    let index = indices[number * indices.count / sampled]
                    chosen.formUnion([index, min(index + 1, calls.count - 1)])
                }
            }
        }
        return chosen.sorted().map { KillPoint(calls[$0]) }
    }
}

extension TracedCall {
    /// Whether other processes can see what it does.
    var changesSomething: Bool {
        switch name {
        case "openat", "openat2": line.contains("O_CREAT")
        case "linkat", "unlinkat", "renameat", "mkdir", "mkdirat", "write", "pwrite64", "ftruncate", "fchmod",
            "fchmodat2", "fchownat", "utimensat", "fsync", "fdatasync", "syncfs", "flock", "bind", "listen":
            true
        default: false
        }
    }
}
