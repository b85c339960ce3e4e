/// Gives the value of an environment variable.
public typealias AWSEnvironment = @Sendable (_ name: String) -> String?

/// The variables that the AWS tools know; an empty one counts as absent.
struct Variables: Sendable {
    private let value: AWSEnvironment

    init(_ value: @escaping AWSEnvironment) {
        self.value = value
    }

    subscript(name: String) -> String? {
        value(name).flatMap { $0.isEmpty ? nil : $0 }
    }

    func isTrue(_ name: String) -> Bool {
        self[name]?.lowercased() == "true"
    }
}
