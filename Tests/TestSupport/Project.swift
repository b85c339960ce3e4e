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
}
