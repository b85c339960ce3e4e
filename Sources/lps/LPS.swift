import ArgumentParser

/// The operator's tool.
@main
struct LPS: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lps",
        abstract: "Operates the stores of the Large Payload Service.",
        subcommands: [Init.self]
    )
}
