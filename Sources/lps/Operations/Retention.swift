import ArgumentParser
import Encoding
import PayloadKey
import StorePolicy

/// The retention of each namespace: the policy's, or else `--older-than`.
struct Retention {
    private let policy: StorePolicy
    private let olderThan: Age?

    /// - Parameter allowsAnyAge: Whether to accept ages under a day.
    /// - Throws: ``NoAge`` when no retention is configured, ``ValidationError`` when one is under a day.
    init(policy: StorePolicy?, olderThan: Age?, allowsAnyAge: Bool) throws {
        self.policy = policy ?? StorePolicy()
        self.olderThan = olderThan
        let ages = self.policy.allRules.compactMap(\.retention)
        guard olderThan != nil || !ages.isEmpty else { throw NoAge(hasPolicy: policy != nil) }
        guard !allowsAnyAge else { return }
        try Self.check(olderThan, "--older-than")
        for age in ages { try Self.check(age, "the policy's retention") }
    }

    /// The age from which a namespace's keys are expired; `nil` means that they never expire.
    func age(for namespace: Namespace) -> Age? {
        policy[namespace].retention ?? olderThan
    }

    /// The error that neither an option nor a policy sets a retention.
    struct NoAge: Error, CustomStringConvertible {
        let hasPolicy: Bool

        var description: String {
            "--older-than (LPS_GC_OLDER_THAN) is required, "
                + (hasPolicy
                    ? "because the policy sets no retention"
                    : "or a policy that sets a retention: --policy (LPS_POLICY)")
        }
    }

    private static func check(_ age: Age?, _ name: String) throws {
        guard let age, age.seconds < Age.day else { return }
        throw ValidationError(
            "\(name) \(age.text) is under a day: recent uploads would be deleted; use --force if you mean it"
        )
    }
}

extension Age: ExpressibleByArgument {
    /// Parses an option's value, such as `45d`.
    package init?(argument: String) {
        self.init(parsing: argument)
    }
}
