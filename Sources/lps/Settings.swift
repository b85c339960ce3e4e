import EnvironmentFile
import Glibc

/// What options default to: the variables of the file that `LPS_CONFIG` names, or else of the environment, as for
/// `lps-worker`. So a command by hand, a timer and a worker agree on what is configured.
struct Settings: Sendable {
    private let file: EnvironmentFile?
    private let environment: @Sendable (String) -> String?

    /// - Parameter environment: the value of a variable; `nil` when it is not set.
    init(environment: @escaping @Sendable (String) -> String?) throws {
        self.environment = environment
        let path = environment("LPS_CONFIG").flatMap { $0.isEmpty ? nil : $0 }
        file = if let path { try EnvironmentFile(named: path) } else { nil }
    }

    /// This process's settings; the file is read once.
    static func ofProcess() throws -> Settings { try loaded.get() }

    private static let loaded = Result {
        try Settings { name in getenv(name).map { String(cString: $0) } }
    }

    /// A variable; `nil` when it is not set, or empty.
    subscript(name: String) -> String? { file?[name] ?? environment(name).flatMap { $0.isEmpty ? nil : $0 } }

    /// Whether a variable is set to nothing.
    func isEmpty(_ name: String) -> Bool {
        guard self[name] == nil else { return false }
        return file?.names.contains(name) == true || environment(name) != nil
    }
}

extension Context {
    /// - Throws: status 78 (EX_CONFIG of sysexits(3)) when the file can't be used, told on standard error.
    func settings() throws -> Settings {
        do {
            return try loadSettings()
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
}
