import ArgumentParser
import DiskStore
import EnvironmentFile
import Foundation
import PayloadKey
import TestStores
import SystemPackage
import TestSupport
import Testing

@testable import lps

/// Runs command lines of `lps` in this process, with a test's environment and standard streams.
struct Tool: Sendable {
    var settings: [String: String]

    /// A command's status and output.
    struct Answer {
        let status: Int32
        let bytes: [UInt8]
        let errors: String

        var output: String { String(decoding: bytes, as: UTF8.self) }
        var lines: [Substring] { output.split(separator: "\n") }
    }

    /// - Parameters:
    ///   - settings: variables added to the environment.
    ///   - input: standard input.
    func run(_ arguments: [String], settings more: [String: String] = [:], input: [UInt8] = []) throws -> Answer {
        let folder = try TemporaryFolder(isInMemory: true)
        try write(input, to: folder.file("input"))
        func stream(_ name: String) throws -> FileDescriptor {
            try .open(folder.file(name), .readWrite, options: .create, permissions: .ownerReadWrite)
        }
        let (input, output, errors) = try (stream("input"), stream("output"), stream("errors"))
        defer { for stream in [input, output, errors] { _ = try? stream.close() } }
        let settings = settings.merging(more) { $1 }
        let context = Context(
            variables: Context.load(Environment { settings[$0] }),
            logger: RecordedLog().logger,
            input: input,
            output: output,
            print: { Self.send($0, to: output) },
            complain: { Self.send("lps: \($0)", to: errors) },
            progress: { _ in nil }
        )
        var status: Int32 = 0
        do {
            var parsed = try LPS.parseAsRoot(arguments)
            if let command = parsed as? any Command { try command.run(context) } else { try parsed.run() }
        } catch {
            // As in ParsableArguments.exit(withError:).
            status = LPS.exitCode(for: error).rawValue
            let message = LPS.fullMessage(for: error)
            if !message.isEmpty { Self.send(message, to: status == 0 ? output : errors) }
        }
        return Answer(
            status: status,
            bytes: try contents(of: folder.file("output")),
            errors: String(decoding: try contents(of: folder.file("errors")), as: UTF8.self)
        )
    }

    private static func send(_ line: String, to stream: FileDescriptor) {
        _ = try? stream.writeAll(Array("\(line)\n".utf8))
    }
}

extension TestStore {
    var tool: Tool { Tool(settings: ["LPS_STORE": path]) }

    func lps(_ arguments: [String], settings: [String: String] = [:], input: [UInt8] = []) throws -> Tool.Answer {
        // A child that another test forked holds the lock of an earlier collection until it executes its program.
        _ = try collector()
        return try tool.run(arguments, settings: settings, input: input)
    }

    func lps(_ arguments: String...) throws -> Tool.Answer { try lps(arguments) }

    /// Writes a policy file and returns its path.
    func policy(_ text: String) throws -> String {
        let path = folder.file("policy-\(UUID().uuidString)")
        try write(text.utf8, to: path)
        return path
    }
}

/// The JSON lines that a command printed.
func jsonLines(_ answer: Tool.Answer, line: SourceLocation = #_sourceLocation) throws -> [[String: Any]] {
    try answer.lines.map { text in
        let value = try JSONSerialization.jsonObject(with: Data(text.utf8))
        return try #require(value as? [String: Any], "\(text)", sourceLocation: line)
    }
}
