import ArgumentParser
import Logging
import Version

/// The operator's tool.
@main
struct LPS: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lps",
        abstract: "Operates the stores of the Large Payload Service.",
        discussion: """
            Every command is safe while workers run.

            Options default to environment variables, as each says; or, so named, to the file of settings that LPS_CONFIG names, \
            which wins over the environment: /etc/default/lps, say, as for the workers.

            Exit status: 0 when all is well, 1 when something is missing or damaged or the system failed, 64 for a wrong command \
            line, 78 for settings, a policy or a file system that can't be used.
            """,
        version: "lps \(version)",
        subcommands: [
            Init.self, Put.self, Get.self, Stat.self, List.self, DiskUsage.self, Remove.self, CollectGarbage.self,
            Undelete.self, Quota.self, Scrub.self, ScrubCache.self, Copy.self, Export.self, Import.self,
        ]
    )

    static func main() {
        // Results go to standard output; what the store has to tell does not.
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        main(nil)
        Output.finish()
    }
}
