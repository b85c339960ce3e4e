import Glibc

/// The variables that configure a program, from a settings file or else from the environment. An empty variable counts as
/// absent.
package struct Environment: Sendable {
    private let value: @Sendable (String) -> String?
    private let file: EnvironmentFile?

    /// The environment of this process.
    package static let process = Environment { name in getenv(name).map { String(cString: $0) } }

    /// - Parameter value: Returns the value of a variable; `nil` when it is not set.
    package init(_ value: @escaping @Sendable (String) -> String?) {
        self.value = value
        file = nil
    }

    /// Creates an environment in which a file's variables override those of `environment`.
    ///
    /// - Parameter path: As for ``EnvironmentFile/init(named:)``; `nil` for no file.
    /// - Throws: As ``EnvironmentFile/init(named:)``.
    package init(_ environment: Environment, file path: String?) throws {
        value = environment.value
        file = try path.flatMap(EnvironmentFile.init(named:))
    }

    /// The names of the file's variables, in no particular order.
    package var namesInFile: [String] { file?.names ?? [] }

    /// The value of a variable; `nil` when it is not set, or empty.
    package subscript(name: String) -> String? { file?[name] ?? value(name).flatMap { $0.isEmpty ? nil : $0 } }

    /// Whether a variable is set, but empty.
    package func isEmpty(_ name: String) -> Bool {
        self[name] == nil && (namesInFile.contains(name) || value(name) != nil)
    }
}
