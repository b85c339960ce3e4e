import ArgumentParser

/// A setting, with its value as ``Configuration`` found it: on the command line, or else in the configuration file, or else
/// in the environment, or else the standard one.
final class Setting<Value: Equatable & Sendable>: @unchecked Sendable {
    // Sendable: `value` changes only in `resolve`, before the configuration is anyone's.
    private(set) var value: Value
    let isReloadable: Bool
    private let given: String?
    private let expected: String
    private let parse: @Sendable (String) throws -> Value?

    fileprivate init(
        _ standard: Value,
        given: String? = nil,
        _ isReloadable: Bool,
        _ expected: String,
        _ parse: @escaping @Sendable (String) throws -> Value?
    ) {
        value = standard
        self.given = given
        self.isReloadable = isReloadable
        self.expected = expected
        self.parse = parse
    }
}

/// A setting of any type.
protocol AnySetting: AnyObject {
    /// Whether a worker takes up another value on SIGHUP.
    var isReloadable: Bool { get }

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
        guard !text.isEmpty, let parsed = try parse(text) else {
            let option = "--" + name.dropFirst("LPS_".count).lowercased().split(separator: "_").joined(separator: "-")
            throw ConfigurationError("\(option) (\(name)) is '\(text)', expected \(expected)")
        }
        value = parsed
    }

    func hasValue(of other: any AnySetting) -> Bool {
        (other as? Self)?.value == value
    }
}

/// How a setting is written.
struct SettingKind<Value>: Sendable {
    /// What an error says was expected.
    let expected: String
    let completion: CompletionKind?
    /// `nil` for what makes no sense.
    let parse: @Sendable (String) throws -> Value?

    init(_ expected: String, completion: CompletionKind? = nil, _ parse: @escaping @Sendable (String) throws -> Value?) {
        self.expected = expected
        self.completion = completion
        self.parse = parse
    }
}

extension Option {
    /// Declares a setting that always has a value.
    init<Parsed>(
        _ help: String,
        _ valueName: String,
        _ kind: SettingKind<Parsed>,
        else standard: Parsed,
        isReloadable: Bool = false
    ) where Value == Setting<Parsed> {
        @Sendable func setting(_ given: String?) -> Value {
            Setting(standard, given: given, isReloadable, kind.expected, kind.parse)
        }
        self.init(
            wrappedValue: setting(nil),
            help: ArgumentHelp("\(help)", valueName: valueName),
            completion: kind.completion,
            transform: { setting($0) }
        )
    }

    /// Declares a setting that may be absent.
    init<Parsed>(
        _ help: String,
        _ valueName: String,
        _ kind: SettingKind<Parsed>,
        isReloadable: Bool = false
    ) where Value == Setting<Parsed?> {
        let optional = SettingKind<Parsed?>(kind.expected, completion: kind.completion) { try kind.parse($0).map { $0 } }
        self.init(help, valueName, optional, else: nil, isReloadable: isReloadable)
    }
}

/// What the options of a command have in common, whatever their types.
protocol SettingOption {
    var setting: any AnySetting { get }
}

extension Option: SettingOption where Value: AnySetting {
    var setting: any AnySetting { wrappedValue }
}
