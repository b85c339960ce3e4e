import ArgumentParser
import Logging
import Version

/// `lps`, the operator's tool.
@main
struct LPS: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lps",
        abstract: "Operate the stores of the Large Payload Service.",
        discussion: """
            All commands are safe while workers run.

            Options default to environment variables, which each option names. With LPS_CONFIG, a file sets these variables \
            and overrides the environment: for example /etc/default/lps, the workers' settings.

            Exit status: 0 for success; 1 when something is missing or damaged, or the system failed; 64 for an invalid command \
            line; 78 when settings, policy or file system can't be used.
            """,
        version: "lps \(version)",
        subcommands: [
            Init.self, Put.self, Get.self, Stat.self, List.self, DiskUsage.self, Remove.self, CollectGarbage.self,
            Undelete.self, Quota.self, Scrub.self, ScrubCache.self, Copy.self, Export.self, Import.self,
        ]
    )

    static func main() {
        // Standard output is for results only.
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        main(nil)
        Output.finish()
    }
}
