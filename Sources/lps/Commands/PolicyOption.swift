import ArgumentParser
import StorePolicy

/// Where the policy is: `--policy`, or `LPS_POLICY`, as for `lps-worker`.
struct PolicyOption: ParsableArguments {
    @Option(
        "The file with each namespace's retention and quota. (default: LPS_POLICY)",
        value: "path",
        completion: .file()
    )
    var policy: String?

    /// Reads the policy; `nil` when none is named.
    ///
    /// - Throws: status 78 (EX_CONFIG of sysexits(3)) when the file can't be used, told on standard error.
    func load(_ context: Context) throws -> StorePolicy? {
        let settings = try context.settings()
        // Elsewhere an empty variable counts as absent. Here that would delete what the policy keeps, when a script's
        // variable was not set.
        if policy == nil, settings.isEmpty("LPS_POLICY") {
            throw context.unusable("LPS_POLICY is empty, expected a path, or to be unset")
        }
        guard let path = policy ?? settings["LPS_POLICY"] else { return nil }
        guard !path.isEmpty else { throw context.unusable("--policy is empty, expected a path") }
        do {
            return try StorePolicy(contentsOfFile: path)
        } catch {
            throw context.unusable("\(error)")
        }
    }
}
