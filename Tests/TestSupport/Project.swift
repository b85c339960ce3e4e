import Foundation

/// The project's files and binaries.
package enum Project {
    package static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    /// The folder of the built binaries: `LPS_BIN_DIR`, or else the folder of the tests' own binary.
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

    /// The code blocks of a language in a document, or in one of its sections, in order.
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
