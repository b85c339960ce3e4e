import Glibc

/// The variables that configure a program: those of a file of settings, or else of the environment. An empty one counts as
/// absent.
package struct Environment: Sendable {
    private let value: @Sendable (String) -> String?
    private let file: EnvironmentFile?

    /// The environment of this process.
    package static let process = Environment { name in getenv(name).map { String(cString: $0) } }

    /// - Parameter value: the value of a variable; `nil` when it is not set.
    package init(_ value: @escaping @Sendable (String) -> String?) {
        self.value = value
        file = nil
    }

    /// The same environment, with the variables of a file, which win.
    ///
    /// - Parameter path: as of ``EnvironmentFile/init(named:)``; `nil` for no file.
    package init(_ environment: Environment, file path: String?) throws {
        value = environment.value
        file = try path.flatMap(EnvironmentFile.init(named:))
    }

    /// The names of the file's variables, in no order.
    package var namesInFile: [String] { file?.names ?? [] }

    /// A variable; `nil` when it is not set, or empty.
    package subscript(name: String) -> String? { file?[name] ?? value(name).flatMap { $0.isEmpty ? nil : $0 } }

    /// Whether a variable is set to nothing.
    package func isEmpty(_ name: String) -> Bool {
        self[name] == nil && (namesInFile.contains(name) || value(name) != nil)
    }
}
