import ArgumentParser
import PayloadKey
import PayloadStore

/// `lps undelete`: gives deleted keys back.
struct Undelete: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "undelete",
        abstract: "Gives back keys that 'lps gc --keep-trash' has deleted.",
        discussion: """
            All that are in the trash, those of a namespace or prefix, or one. Each is verified first, and its age counts anew.

            Exit status 1 when the key is not in the trash, or something of it is damaged.
            """
    )

    @OptionGroup var store: StoreOption
    @OptionGroup var selection: SelectionOptions
    @Flag(help: "Only list what is in the trash: size, deleted until when, key.")
    var dryRun = false
    @Flag(help: "One line of JSON for each key.")
    var json = false
    @Argument(help: ArgumentHelp("One key, as in Temporal's histories.", valueName: "key"))
    var key: String?

    func validate() throws {
        guard key == nil || selection.namespace == nil && selection.prefix == nil else {
            throw ValidationError("a key names its namespace and prefix itself")
        }
    }

    func run() throws {
        let selection = try selection.selection()
        let key = try key.map(parseKey)
        let store = try store.open()
        var result = Result()
        if let key {
            let trashed = try store.trashed(key)
            if trashed.isEmpty {
                complain("\(key) is not in the trash")
                result.isComplete = false
            }
            for trashed in trashed { try undelete(trashed, in: store, &result) }
        } else {
            try store.forEachTrashedKey(in: selection) { try undelete($0, in: store, &result) }
        }
        if !json {
            let verb = dryRun ? "would undelete" : "undeleted"
            print("\(verb) \(result.undeleted) keys of \(Output.size(result.logicalBytes))")
        }
        if !result.isComplete { throw ExitCode.failure }
    }

    private func undelete(_ trashed: TrashedKey, in store: PayloadStore, _ result: inout Result) throws {
        if !dryRun {
            do {
                // What was stored again in the meantime, or is gone, needs nothing.
                guard try store.undelete(trashed) == .undeleted else { return }
            } catch let error as StoreError where error.code == .damaged {
                complain("\(error)")
                result.isComplete = false
                return
            }
        }
        result.undeleted += 1
        result.logicalBytes += trashed.stored.size
        if json {
            try Output.json(Row(trashed))
        } else if dryRun {
            let size = Output.size(trashed.stored.size)
            let padding = Output.padding(of: size, to: 10)
            print("\(padding)\(size)  \(Output.time(trashed.deleted))  \(trashed.stored.key)")
        }
    }

    private struct Result {
        var undeleted = 0
        var logicalBytes: UInt64 = 0
        var isComplete = true
    }

    private struct Row: Encodable {
        let key: String
        let size: UInt64
        let deleted: String

        init(_ trashed: TrashedKey) {
            key = "\(trashed.stored.key)"
            size = trashed.stored.size
            deleted = Output.time(trashed.deleted)
        }
    }
}
