import PayloadKey
import StorePolicy

extension StorePolicy {
    /// Tells of sections for which the store has no namespace: of a misspelt one, the namespace that was meant goes by the
    /// rules of `[*]`.
    func warnOfUnknownNamespaces(of present: Set<Namespace>, _ complain: (String) -> Void) {
        let unknown = Set(namespaces.keys).subtracting(present).sorted()
        guard !unknown.isEmpty else { return }
        let names = unknown.map { "'\($0)'" }.joined(separator: ", ")
        complain("the policy has sections for namespaces that the store does not have, misspelt? \(names)")
    }
}
