import ArgumentParser
import Encoding
import PayloadKey
import StorePolicy

/// From which age on the keys of a namespace are garbage: the policy's, or else that of `--older-than`.
struct Retention {
    private let policy: StorePolicy
    private let olderThan: Age?

    /// - Parameter allowsAnyAge: not only those of a day and more.
    /// - Throws: ``NoAge`` when there is no age at all, ``ValidationError`` when one would take uploads of right now.
    init(policy: StorePolicy?, olderThan: Age?, allowsAnyAge: Bool) throws {
        self.policy = policy ?? StorePolicy()
        self.olderThan = olderThan
        let ages = self.policy.allRules.compactMap(\.retention)
        guard olderThan != nil || !ages.isEmpty else { throw NoAge(hasPolicy: policy != nil) }
        guard !allowsAnyAge else { return }
        try Self.check(olderThan, "--older-than")
        for age in ages { try Self.check(age, "the policy's retention") }
    }

    /// `nil`: its keys are left alone.
    func age(for namespace: Namespace) -> Age? {
        policy[namespace].retention ?? olderThan
    }

    /// Neither an option nor a policy gives an age.
    struct NoAge: Error, CustomStringConvertible {
        let hasPolicy: Bool

        var description: String {
            "--older-than (LPS_GC_OLDER_THAN) is required, "
                + (hasPolicy ? "since the policy gives no age" : "or a policy that gives ages: --policy (LPS_POLICY)")
        }
    }

    private static func check(_ age: Age?, _ name: String) throws {
        guard let age, age.seconds < Age.day else { return }
        throw ValidationError(
            "\(name) \(age.text) is under a day: uploads of right now count as garbage; --force if you mean it"
        )
    }
}

extension Age: ExpressibleByArgument {
    /// Reads an option's value.
    package init?(argument: String) {
        self.init(parsing: argument)
    }
}
