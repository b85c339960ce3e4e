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
        guard let path = policy ?? getenv("LPS_POLICY").map({ String(cString: $0) }), !path.isEmpty else { return nil }
        do {
            return try StorePolicy(contentsOfFile: path)
        } catch {
            complain("\(error)")
            throw ExitCode(EX_CONFIG)
        }
    }
}
