import ArgumentParser
import Glibc
import Logging
import SystemPackage

/// What a command has from its process; a test gives it something else.
struct Context {
    /// Reads what options default to.
    var loadSettings: () throws -> Settings
    /// What the store has to tell.
    var logger: Logger
    /// Standard input.
    var input: FileDescriptor
    /// Standard output, for bytes; ``print`` is for lines.
    var output: FileDescriptor
    /// Writes a line of results.
    var print: (String) -> Void
    /// Writes a line to standard error.
    var complain: @Sendable (String) -> Void
    /// Shows how far the command of this name is; `nil` where nobody watches.
    var progress: (_ command: String) -> Progress?

    /// That of this process.
    static var process: Context {
        Context(
            loadSettings: Settings.ofProcess,
            logger: Logger(label: "lps"),
            input: .standardInput,
            output: .standardOutput,
            print: { Swift.print($0) },
            complain: { lps.complain($0) },
            progress: Progress.onTerminal
        )
    }

    /// Writes a value as one line of JSON.
    func json(_ value: some Encodable) throws { print(try Output.json(value)) }

    /// Writes a value as one line of JSON, with one more field.
    func json(_ value: some Encodable, adding field: String, _ added: some Encodable) throws {
        print(try Output.json(Output.Extended(value: value, field: field, added: added)))
    }

    /// Writes bytes to standard output.
    func write(_ bytes: UnsafeRawBufferPointer) throws {
        _ = try FileError.naming("write to standard output") { try output.writeAll(bytes) }
    }

    /// Says why the command has failed.
    ///
    /// - Returns: the status to end with, 1.
    func failed(_ reason: String) -> ExitCode {
        complain(reason)
        return .failure
    }

    /// Says why the configuration can't be used.
    ///
    /// - Returns: the status to end with, 78 (EX_CONFIG of sysexits(3)).
    func unusable(_ reason: String) -> ExitCode {
        complain(reason)
        return ExitCode(EX_CONFIG)
    }
}

/// A command of the tool: its options, and what it does in a context.
protocol Command: ParsableCommand {
    func run(_ context: Context) throws
}

extension Command {
    func run() throws { try run(.process) }
}
