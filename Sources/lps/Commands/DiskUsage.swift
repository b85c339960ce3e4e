import ArgumentParser

/// `lps du`: sums keys up by namespace and prefix.
struct DiskUsage: Command {
    static let configuration = CommandConfiguration(
        commandName: "du",
        abstract: "Sums payloads up, by namespace and prefix.",
        discussion: """
            What is in the trash has sums of its own, since it takes space until it is purged.

            On the disk, content that several of the keys share is counted in equal parts for each of them, so the sums are those \
            of the disk.
            """
    )

    @OptionGroup var store: StoreOption
    @OptionGroup var selection: SelectionOptions
    @Flag(help: "A line of JSON for each sum.")
    var json = false

    func run(_ context: Context) throws {
        let sums = try UsageSums(selection.selection(), of: store.open(context))
        if json { return try sums.rows.forEach(context.json) }
        context.print(sums.table)
    }
}
