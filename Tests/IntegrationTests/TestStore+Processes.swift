import Foundation
import PayloadKey
import Storage
import TestStores
import TestSupport
import Testing

/// A store without a service, on which `lps` runs as a process.
extension TestStore {
    func lps(_ arguments: [String]) throws -> (status: Int32, output: String) {
        try run(Project.binary("lps"), [arguments[0], "--store", path] + arguments.dropFirst())
    }

    /// Starts `lps` on the store.
    ///
    /// - Parameters:
    ///   - wrapper: a command and arguments to put before `lps`.
    ///   - input: the file for standard input.
    func start(
        _ arguments: [String],
        by wrapper: [String] = [],
        environment: [String: String] = [:],
        input: String? = nil
    ) throws -> ChildProcess {
        let command = wrapper + [Project.binary("lps"), arguments[0], "--store", path] + arguments.dropFirst()
        let file = input.map { Foundation.open($0, O_RDONLY | O_CLOEXEC) }
        defer { if let file { close(file) } }
        return try ChildProcess(
            command[0],
            Array(command.dropFirst()),
            environment: environment,
            standardInput: file,
            log: folder.file("lps-\(UUID().uuidString)")
        )
    }

    /// Checks that a sweep and the removal of old uploads leave nothing behind except valid keys.
    func expectOnlyLeftovers() throws {
        try store.inspect { #expect($0.kind == .unreferencedContent, "\($0)") }
        try sweep()
        for name in files(below: file("incoming")) { setAge(file("incoming/\(name)"), seconds: 25 * 60 * 60) }
        try store.removeLeftovers()
        #expect(files(below: file("incoming")).isEmpty)
        try store.inspect { Issue.record("\($0)") }
    }
}
