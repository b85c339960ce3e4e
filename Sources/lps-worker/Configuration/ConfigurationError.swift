/// An invalid setting. The description names the setting, its value and the expected form.
struct ConfigurationError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
