import ArgumentParser
import Glibc
import StorePolicy

/// Where the policy is: `--policy`, or `LPS_POLICY`, as for `lps-worker`.
struct PolicyOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The file with each namespace's retention and quota. (default: LPS_POLICY)",
            valueName: "path"
        )
    )
    var policy: String?

    /// Reads the policy; `nil` when none is named.
    ///
    /// - Throws: status 78 (EX_CONFIG of sysexits(3)) when the file can't be used, told on standard error.
    func load() throws -> StorePolicy? {
        let variable = getenv("LPS_POLICY").map { String(cString: $0) }
        guard let path = policy ?? variable else { return nil }
        // Elsewhere an empty variable counts as absent. Here that would delete what the policy keeps, when a script's
        // variable was not set.
        guard !path.isEmpty else {
            throw refusal(
                policy == nil
                    ? "LPS_POLICY is empty, expected a path, or to be unset" : "--policy is empty, expected a path"
            )
        }
        do {
            return try StorePolicy(contentsOfFile: path)
        } catch {
            throw refusal("\(error)")
        }
    }

    private func refusal(_ reason: String) -> ExitCode {
        complain(reason)
        return ExitCode(EX_CONFIG)
    }
}
