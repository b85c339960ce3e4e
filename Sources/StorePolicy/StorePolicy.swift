import Encoding
import PayloadKey

/// The operator's rules for each namespace: retention and quota.
///
/// A section inherits nothing from ``others``, so a retention in `[*]` never deletes from a namespace with its own section.
package struct StorePolicy: Equatable, Sendable {
    /// The rules for a namespace.
    package struct Rules: Equatable, Sendable {
        /// Keys whose age exceeds it are expired; `nil` means that keys do not expire.
        package var retention: Age?
        /// The maximum total size of the namespace's payloads, in bytes; `nil` means no limit.
        package var quota: UInt64?
    }

    /// The namespaces that have a section.
    package var namespaces: [Namespace: Rules] = [:]
    /// The rules of `[*]`, for all other namespaces.
    package var others = Rules()

    /// Creates a policy without rules.
    package init() {}

    /// The rules for `namespace`: its section's, or else those of `[*]`.
    package subscript(namespace: Namespace) -> Rules {
        namespaces[namespace] ?? others
    }

    /// The rules of all sections, in no particular order.
    package var allRules: [Rules] {
        [others] + namespaces.values
    }

    /// Whether any section sets a quota.
    package var hasQuotas: Bool { allRules.contains { $0.quota != nil } }
}
