/// A setting that makes no sense: which, its value, and what is expected.
struct ConfigurationError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
