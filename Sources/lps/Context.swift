import ArgumentParser
import EnvironmentFile
import Glibc
import Logging
import SystemPackage

/// What a command has from its process; a test gives it something else.
struct Context {
    /// The environment's variables, as they are set.
    var environment: @Sendable (_ name: String) -> String?
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
            environment: { name in getenv(name).map { String(cString: $0) } },
            logger: Logger(label: "lps"),
            input: .standardInput,
            output: .standardOutput,
            print: { Swift.print($0) },
            complain: { lps.complain($0) },
            progress: Progress.onTerminal
        )
    }

    /// What options default to: the variables of the file that `LPS_CONFIG` names, or else of the environment, as for
    /// `lps-worker`. So a command by hand, a timer and a worker agree on what is configured.
    ///
    /// - Throws: status 78 (EX_CONFIG of sysexits(3)) when the file can't be used, told on standard error.
    func settings() throws -> Environment {
        let variables = Environment(environment)
        do {
            return try Environment(variables, file: variables["LPS_CONFIG"])
        } catch {
            throw unusable("\(error)")
        }
    }

    /// A setting's value.
    ///
    /// - Throws: status 78, told on standard error, when it is not what is expected.
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
