import Encoding
import PayloadKey

/// What the operator has laid down for each namespace: how long payloads are kept, and how much it may store.
///
/// A section stands for itself: what it does not say, ``others`` does not say for it. So no age of `[*]` deletes from a
/// namespace that has a section of its own.
package struct StorePolicy: Equatable, Sendable {
    /// What holds for a namespace.
    package struct Rules: Equatable, Sendable {
        /// Keys that were not stored again for so long are garbage; `nil`: none are, for their age.
        package var retention: Age?
        /// The most bytes that a namespace's keys may have in all; `nil`: any number.
        package var quota: UInt64?
    }

    /// Those that have a section.
    package var namespaces: [Namespace: Rules] = [:]
    /// The rules of `[*]`, for all other namespaces.
    package var others = Rules()

    /// Lays down nothing.
    package init() {}

    /// What holds for `namespace`.
    package subscript(namespace: Namespace) -> Rules {
        namespaces[namespace] ?? others
    }

    /// Every rule of the policy, in no order.
    package var allRules: [Rules] {
        [others] + namespaces.values
    }

    /// Whether a namespace has a quota.
    package var hasQuotas: Bool { allRules.contains { $0.quota != nil } }
}
