import ArgumentParser
import Storage
import StoreFactory

/// `lps copy`: copies payloads from one store to another.
struct Copy: Command {
    static let configuration = CommandConfiguration(
        commandName: "copy",
        abstract: "Copy payloads between stores, on disk or in buckets.",
        discussion: """
            Each payload is verified and committed like an upload; its age counts from now. Payloads that the other store \
            already has are skipped: an interrupted copy continues where it stopped, and a repeated one copies only what is new.

            Workers can keep storing in the first store: copy, switch the workers to the second store, and copy once more.

            Damaged and unreadable payloads are reported and skipped, with exit status 1.
            """
    )

    @Argument(
        help: ArgumentHelp("The store to read: a folder, or s3://BUCKET...", valueName: "from"),
        completion: .directory
    )
    var source: String
    @Argument(help: ArgumentHelp("The store to write.", valueName: "to"), completion: .directory)
    var destination: String
    @OptionGroup var selection: SelectionOptions
    @Option(help: ArgumentHelp("Copy N payloads at once.", valueName: "n"))
    var parallel = 8
    @Flag(help: "Print one line of JSON.")
    var json = false

    func validate() throws {
        guard (1...256).contains(parallel) else {
            throw ValidationError("--parallel is \(parallel), expected a number from 1 to 256")
        }
    }

    func run(_ context: Context) throws {
        let selection = try selection.selection()
        let transfer = Transfer(
            from: try StorePlace(source, option: "from", context).open(context),
            to: try StorePlace(destination, option: "to", context).open(context),
            progress: context.progress("copy"),
            complain: context.complain
        )
        try transfer.run(selection, threads: parallel)
        let result = transfer.result
        if json {
            try context.json(result)
        } else {
            context.print(
                "copied \(result.copied) payloads (\(Output.size(result.bytes))), \(result.present) already present"
            )
        }
        if result.failed > 0 { throw ExitCode.failure }
    }
}
