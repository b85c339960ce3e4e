import ArgumentParser
import Storage

struct List: Command {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "List keys: size, when last stored, key.",
        discussion:
            "Keys are in no particular order. The size 'lost' means that the content is lost: upload the payload again, or delete the key."
    )

    @OptionGroup var store: StoreOption
    @OptionGroup var selection: SelectionOptions
    @Flag(help: "Print one line of JSON for each key.")
    var json = false

    func run(_ context: Context) throws {
        try store.open(context).forEachKey(in: selection.selection()) { stored in
            if json {
                try context.json(KeyDescription(stored))
            } else {
                context.print(Output.row(of: stored))
            }
        }
    }
}
