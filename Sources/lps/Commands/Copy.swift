import ArgumentParser
import Storage
import StoreFactory

/// `lps copy`: copies payloads from one store to another.
struct Copy: Command {
    static let configuration = CommandConfiguration(
        commandName: "copy",
        abstract: "Copies payloads from one store to another, of either kind.",
        discussion: """
            Each payload is verified on its way, and committed like an upload; its age counts from now. What the other store has \
            already is left as it is, so that a copy that was interrupted goes on where it was, and one that is run again takes \
            what is new.

            Workers may go on storing in the first store: copy, let the workers use the second store, and copy once more.

            What is damaged, or can't be read, is told and left out, with exit status 1.
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
    @Option(help: ArgumentHelp("How many payloads to copy at once.", valueName: "n"))
    var parallel = 8
    @Flag(help: "One line of JSON.")
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
                "copied \(result.copied) payloads, \(Output.size(result.bytes)); \(result.present) were there already"
            )
        }
        if result.failed > 0 { throw ExitCode.failure }
    }
}
