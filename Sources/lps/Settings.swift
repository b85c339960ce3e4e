import EnvironmentFile
import Glibc

/// What options default to: the variables of the file that `LPS_CONFIG` names, or else of the environment, as for
/// `lps-worker`. So a command by hand, a timer and a worker agree on what is configured.
struct Settings: Sendable {
    private let file: EnvironmentFile?

    /// This process's settings; the file is read once.
    ///
    /// - Throws: status 78 (EX_CONFIG of sysexits(3)) when the file can't be used, told on standard error.
    static func current() throws -> Settings {
        do {
            return try loaded.get()
        } catch {
            throw unusable("\(error)")
        }
    }

    private static let loaded = Result {
        guard let path = environment("LPS_CONFIG") else { return Settings(file: nil) }
        return Settings(file: try EnvironmentFile(named: path))
    }

    /// A variable; `nil` when it is not set, or empty.
    subscript(name: String) -> String? { file?[name] ?? Self.environment(name) }

    /// Whether a variable is set to nothing.
    func isEmpty(_ name: String) -> Bool {
        guard self[name] == nil else { return false }
        return file?.names.contains(name) == true || getenv(name) != nil
    }

    /// A variable's value.
    ///
    /// - Throws: status 78, told on standard error, when it is not what is expected.
    func value<Value>(_ name: String, expected: String, _ parse: (String) -> Value?) throws -> Value? {
        guard let text = self[name] else { return nil }
        guard let value = parse(text) else { throw unusable("\(name) is '\(text)', expected \(expected)") }
        return value
    }

    private static func environment(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }
}
