import ArgumentParser
import EnvironmentFile

/// A setting, with its value as ``Configuration`` found it: on the command line, or else in the configuration file, or else
/// in the environment, or else the standard one.
final class Setting<Value: Equatable & Sendable>: @unchecked Sendable {
    // Sendable: `value` changes only in `resolve`, before the configuration is anyone's.
    private(set) var value: Value
    private let kind: SettingKind<Value>
    private let given: String?

    /// - Parameter given: its text on the command line.
    fileprivate init(_ standard: Value, _ kind: SettingKind<Value>, given: String?) {
        value = standard
        self.kind = kind
        self.given = given
    }
}

/// A setting of any type.
protocol AnySetting: AnyObject {
    /// Whether SIGHUP is enough for another value, and no restart is needed.
    var isReloadable: Bool { get }

    /// Takes the value.
    ///
    /// - Parameter name: the name of its environment variable.
    /// - Throws: ``ConfigurationError`` that has the value, and what is expected; or what its kind throws.
    func resolve(_ name: String, _ variables: Environment) throws

    func hasValue(of other: any AnySetting) -> Bool
}

extension Setting: AnySetting {
    var isReloadable: Bool { kind.isReloadable }

    func resolve(_ name: String, _ variables: Environment) throws {
        guard let text = given ?? variables[name] else { return }
        guard !text.isEmpty, let parsed = try kind.parse(text) else {
            let option = "--" + name.dropFirst("LPS_".count).lowercased().replacing("_", with: "-")
            throw ConfigurationError("\(option) (\(name)) is '\(text)', expected \(kind.expected)")
        }
        value = parsed
    }

    func hasValue(of other: any AnySetting) -> Bool {
        (other as? Self)?.value == value
    }
}

/// How a setting is written.
struct SettingKind<Value>: Sendable {
    /// What the help calls the value.
    let name: String
    /// What an error says was expected.
    let expected: String
    let completion: CompletionKind?
    /// `nil` for what makes no sense.
    let parse: @Sendable (String) throws -> Value?
    fileprivate private(set) var isReloadable = false

    init(
        _ name: String,
        _ expected: String,
        completion: CompletionKind? = nil,
        _ parse: @escaping @Sendable (String) throws -> Value?
    ) {
        self.name = name
        self.expected = expected
        self.completion = completion
        self.parse = parse
    }

    /// The same kind, of a setting that SIGHUP changes, too.
    var reloadable: SettingKind {
        var kind = self
        kind.isReloadable = true
        return kind
    }

}

extension Option {
    /// Declares a setting that always has a value.
    init<Parsed>(_ help: String, _ kind: SettingKind<Parsed>, else standard: Parsed) where Value == Setting<Parsed> {
        self.init(
            wrappedValue: Setting(standard, kind, given: nil),
            help: ArgumentHelp("\(help)", valueName: kind.name),
            completion: kind.completion,
            transform: { Setting(standard, kind, given: $0) }
        )
    }

    /// Declares a setting that may be absent.
    init<Parsed>(_ help: String, _ kind: SettingKind<Parsed>) where Value == Setting<Parsed?> {
        let optional = SettingKind<Parsed?>(kind.name, kind.expected, completion: kind.completion) {
            try kind.parse($0).map { $0 }
        }
        self.init(help, optional, else: nil)
    }
}

/// What the options of a command have in common, whatever their types.
protocol SettingOption {
    var setting: any AnySetting { get }
}

extension Option: SettingOption where Value: AnySetting {
    var setting: any AnySetting { wrappedValue }
}
