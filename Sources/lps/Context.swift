import ArgumentParser
import EnvironmentFile
import Glibc
import Logging
import SystemPackage

/// A command's environment and streams: those of its process, or a test's.
struct Context {
    /// The defaults of options, as ``load(_:)`` found them: read once, so that a command sees one configuration.
    var variables: Result<Environment, any Error>
    /// Receives the store's log messages.
    var logger: Logger
    var input: FileDescriptor
    /// Standard output, for bytes; ``print`` writes lines.
    var output: FileDescriptor
    /// Writes a line of results to standard output.
    var print: (String) -> Void
    /// Writes a line to standard error.
    var complain: @Sendable (String) -> Void
    /// Creates the progress line of a command; `nil` when standard error is not a terminal.
    var progress: (_ command: String) -> Progress?

    /// The environment and streams of this process.
    static var process: Context {
        Context(
            variables: load(.process),
            logger: Logger(label: "lps"),
            input: .standardInput,
            output: .standardOutput,
            print: { Swift.print($0) },
            complain: { lps.complain($0) },
            progress: Progress.onTerminal
        )
    }

    /// Reads the defaults of options: variables from the file that `LPS_CONFIG` names, or else from the environment, as for
    /// `lps-worker`. So commands, timers and workers use the same configuration.
    static func load(_ environment: Environment) -> Result<Environment, any Error> {
        Result { try Environment(environment, file: environment["LPS_CONFIG"]) }
    }

    /// The defaults of options.
    ///
    /// - Throws: Status 78 (EX_CONFIG in sysexits(3)) when the file can't be used; the reason is on standard error.
    func settings() throws -> Environment {
        do {
            return try variables.get()
        } catch {
            throw unusable("\(error)")
        }
    }

    /// Parses a setting; `nil` when it is not set.
    ///
    /// - Throws: Status 78 when the value is invalid; the reason is on standard error.
    func setting<Value>(_ name: String, expected: String, _ parse: (String) -> Value?) throws -> Value? {
        guard let text = try settings()[name] else { return nil }
        guard let value = parse(text) else { throw unusable("\(name) is '\(text)', expected \(expected)") }
        return value
    }

    /// Writes a value as one line of JSON.
    func json(_ value: some Encodable) throws { print(try Output.json(value)) }

    /// Writes a value as one line of JSON, with one more field.
    func json(_ value: some Encodable, adding field: String, _ added: some Encodable) throws {
        print(try Output.json(Output.Extended(value: value, field: field, added: added)))
    }

    /// Writes bytes to standard output.
    func write(_ bytes: UnsafeRawBufferPointer) throws {
        _ = try CommandError.naming("write to standard output") { try output.writeAll(bytes) }
    }

    /// Reports why the command failed.
    ///
    /// - Returns: The exit status, 1.
    func failed(_ reason: String) -> ExitCode {
        complain(reason)
        return .failure
    }

    /// Reports why the configuration can't be used.
    ///
    /// - Returns: The exit status, 78 (EX_CONFIG in sysexits(3)).
    func unusable(_ reason: String) -> ExitCode {
        complain(reason)
        return ExitCode(EX_CONFIG)
    }
}

/// A command of the tool, which runs in a ``Context``.
protocol Command: ParsableCommand {
    func run(_ context: Context) throws
}

extension Command {
    func run() throws { try run(.process) }
}
