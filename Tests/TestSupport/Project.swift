import Foundation

/// Where the project's files and binaries are.
package enum Project {
    package static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    /// The built binaries: those of `LPS_BIN_DIR`, or else those beside the tests' own.
    package static let binaries =
        ProcessInfo.processInfo.environment["LPS_BIN_DIR"]
        ?? URL(fileURLWithPath: (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "")
        .deletingLastPathComponent().path

    package static func binary(_ name: String) -> String {
        "\(binaries)/\(name)"
    }

    package static func text(_ path: String) throws -> String {
        try String(contentsOfFile: "\(root)/\(path)", encoding: .utf8)
    }

    /// The blocks of a language that a document shows, or its section, in their order.
    package static func blocks(_ language: String, in path: String, section: String? = nil) throws -> [String] {
        var shown = try text(path)
        if let section {
            guard let found = shown.components(separatedBy: "\n## ").first(where: { $0.hasPrefix("\(section)\n") })
            else {
                throw NeverHappened(what: "\(path) has a section '\(section)'")
            }
            shown = found
        }
        return shown.components(separatedBy: "```\(language)\n").dropFirst().map {
            $0.components(separatedBy: "```")[0]
        }
    }
}
