import ArgumentParser

extension Option {
    /// Creates an optional option.
    ///
    /// - Parameter value: The value's name in the help.
    init<Parsed: ExpressibleByArgument>(_ help: String, value: String, completion: CompletionKind? = nil)
    where Value == Parsed? {
        self.init(help: ArgumentHelp("\(help)", valueName: value), completion: completion)
    }
}
