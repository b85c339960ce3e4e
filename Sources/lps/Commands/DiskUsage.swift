import ArgumentParser

/// `lps du`: shows disk usage by namespace and prefix.
struct DiskUsage: Command {
    static let configuration = CommandConfiguration(
        commandName: "du",
        abstract: "Show disk usage by namespace and prefix.",
        discussion: """
            The trash is listed separately: its keys use space until they are purged.

            ON DISK divides content equally among the selected keys that share it, so the sums add up to the space used. SAVED \
            is the space that sharing saves.
            """
    )

    @OptionGroup var store: StoreOption
    @OptionGroup var selection: SelectionOptions
    @Flag(help: "Print one line of JSON for each sum.")
    var json = false

    func run(_ context: Context) throws {
        let sums = try UsageSums(selection.selection(), of: store.open(context))
        if json { return try sums.rows.forEach(context.json) }
        context.print(sums.table)
    }
}
