/// Returns the value of an environment variable.
public typealias AWSEnvironment = @Sendable (_ name: String) -> String?

/// The environment variables of the AWS tools. An empty variable counts as unset.
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
