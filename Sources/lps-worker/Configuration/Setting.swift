import ArgumentParser

/// A setting, with its value as ``Configuration`` found it: on the command line, or else in the configuration file, or else
/// in the environment, or else the standard one.
final class Setting<Value: Equatable & Sendable>: @unchecked Sendable {
    // Sendable: `value` changes only in `resolve`, before the configuration is anyone's.
    private(set) var value: Value
    let change: SettingChange
    private let kind: SettingKind<Value>
    private let given: String?

    /// - Parameter given: its text on the command line.
    fileprivate init(_ standard: Value, _ kind: SettingKind<Value>, _ change: SettingChange, given: String?) {
        value = standard
        self.kind = kind
        self.change = change
        self.given = given
    }
}

/// What another value takes.
enum SettingChange {
    case needsRestart
    /// SIGHUP.
    case reloadable
}

/// A setting of any type.
protocol AnySetting: AnyObject {
    var change: SettingChange { get }

    /// Takes the value.
    ///
    /// - Parameters:
    ///   - name: the name of its environment variable.
    ///   - lookUp: the text of a variable.
    /// - Throws: ``ConfigurationError`` that has the value, and what is expected.
    func resolve(_ name: String, _ lookUp: (String) -> String?) throws

    func hasValue(of other: any AnySetting) -> Bool
}

extension Setting: AnySetting {
    func resolve(_ name: String, _ lookUp: (String) -> String?) throws {
        guard let text = given ?? lookUp(name) else { return }
        guard !text.isEmpty, let parsed = try kind.parse(text) else {
            let option = "--" + name.dropFirst("LPS_".count).lowercased().split(separator: "_").joined(separator: "-")
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
}

extension Option {
    /// Declares a setting that always has a value.
    init<Parsed>(
        _ help: String,
        _ kind: SettingKind<Parsed>,
        else standard: Parsed,
        _ change: SettingChange = .needsRestart
    ) where Value == Setting<Parsed> {
        self.init(
            wrappedValue: Setting(standard, kind, change, given: nil),
            help: ArgumentHelp("\(help)", valueName: kind.name),
            completion: kind.completion,
            transform: { Setting(standard, kind, change, given: $0) }
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
