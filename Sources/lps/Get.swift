import ArgumentParser
import Storage
import SystemPackage

/// `lps get`: writes a payload to standard output.
struct Get: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get",
        abstract: "Writes a payload to standard output, after it was verified.",
        discussion: "Exit status 1, and nothing written, when it is not stored or damaged."
    )

    @OptionGroup var store: StoreOption
    @Argument(help: ArgumentHelp("The key, as in Temporal's histories.", valueName: "key"))
    var key: String

    func run() throws {
        let key = try parseKey(key)
        guard let payload = try store.openAny().open(key) else {
            complain("\(key) is not stored")
            throw ExitCode.failure
        }
        try payload.check(key.digest)
        try payload.read(0..<payload.size) { piece in
            do {
                try FileDescriptor.standardOutput.writeAll(piece)
            } catch {
                throw FileError("write to standard output", error)
            }
        }
    }
}
