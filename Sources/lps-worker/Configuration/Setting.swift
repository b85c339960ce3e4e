import ArgumentParser
import EnvironmentFile

/// A setting. ``Configuration`` resolves its value from the command line, the configuration file, the environment, or the
/// default, in this order.
final class Setting<Value: Equatable & Sendable>: @unchecked Sendable {
    // Sendable: `value` changes only in `resolve`, before the configuration is shared.
    private(set) var value: Value
    private let kind: SettingKind<Value>
    private let given: String?

    /// - Parameter given: the setting's text on the command line.
    fileprivate init(_ standard: Value, _ kind: SettingKind<Value>, given: String?) {
        value = standard
        self.kind = kind
        self.given = given
    }
}

/// A setting of any value type.
protocol AnySetting: AnyObject {
    /// Whether SIGHUP applies a new value; otherwise a restart is needed.
    var isReloadable: Bool { get }

    /// Finds and parses the value.
    ///
    /// - Parameter name: the setting's environment variable.
    /// - Throws: ``ConfigurationError`` with the value and the expected form, or an error of the kind's parser.
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

/// How a setting's value is parsed, and described in help and errors.
struct SettingKind<Value>: Sendable {
    /// The value's name in the help.
    let name: String
    /// The expected form, for error messages.
    let expected: String
    let completion: CompletionKind?
    /// Returns `nil` for an invalid text.
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

    /// The same kind, for a setting that SIGHUP can change.
    var reloadable: SettingKind {
        var kind = self
        kind.isReloadable = true
        return kind
    }
}

extension Option {
    /// Declares a setting with a default.
    init<Parsed>(_ help: String, _ kind: SettingKind<Parsed>, else standard: Parsed) where Value == Setting<Parsed> {
        self.init(
            wrappedValue: Setting(standard, kind, given: nil),
            help: ArgumentHelp("\(help)", valueName: kind.name),
            completion: kind.completion,
            transform: { Setting(standard, kind, given: $0) }
        )
    }

    /// Declares a setting without a default; `nil` if it is not set.
    init<Parsed>(_ help: String, _ kind: SettingKind<Parsed>) where Value == Setting<Parsed?> {
        let optional = SettingKind<Parsed?>(kind.name, kind.expected, completion: kind.completion) {
            try kind.parse($0).map { $0 }
        }
        self.init(help, optional, else: nil)
    }
}

/// An option that is a setting, of any value type.
protocol SettingOption {
    var setting: any AnySetting { get }
}

extension Option: SettingOption where Value: AnySetting {
    var setting: any AnySetting { wrappedValue }
}
