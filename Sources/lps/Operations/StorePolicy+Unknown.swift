import PayloadKey
import StorePolicy

extension StorePolicy {
    /// Warns of sections whose namespace is not in the store. If a name is misspelt, the rules of `[*]` apply to the intended
    /// namespace.
    func warnOfUnknownNamespaces(of present: Set<Namespace>, _ complain: (String) -> Void) {
        let unknown = Set(namespaces.keys).subtracting(present).sorted()
        guard !unknown.isEmpty else { return }
        let names = unknown.map { "'\($0)'" }.joined(separator: ", ")
        complain("the policy has sections for namespaces that the store does not have (misspelt?): \(names)")
    }
}
