import ArgumentParser
import StorePolicy

/// The policy file: `--policy` or `LPS_POLICY`, as for `lps-worker`.
struct PolicyOption: ParsableArguments {
    @Option(
        "File with each namespace's retention and quota. (default: LPS_POLICY)",
        value: "path",
        completion: .file()
    )
    var policy: String?

    /// Reads the policy; `nil` when none is configured.
    ///
    /// - Throws: Status 78 (EX_CONFIG in sysexits(3)) when the file can't be used; the reason is on standard error.
    func load(_ context: Context) throws -> StorePolicy? {
        let settings = try context.settings()
        // An empty variable usually counts as absent. Here, a script's unset variable would delete payloads that the policy
        // keeps.
        if policy == nil, settings.isEmpty("LPS_POLICY") {
            throw context.unusable("LPS_POLICY is empty: set it to a path, or unset it")
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
