import ArgumentParser

extension Option {
    /// An option that may be absent.
    ///
    /// - Parameter value: what the help calls its value.
    init<Parsed: ExpressibleByArgument>(_ help: String, value: String, completion: CompletionKind? = nil)
    where Value == Parsed? {
        self.init(help: ArgumentHelp("\(help)", valueName: value), completion: completion)
    }
}
