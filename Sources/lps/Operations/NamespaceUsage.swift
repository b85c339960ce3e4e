import PayloadKey
import Storage
import StorePolicy

/// A namespace's usage and quota, as in JSON.
struct NamespaceUsage: Encodable {
    let namespace: String
    /// Bytes.
    let used: UInt64
    /// Bytes; `nil` without a quota.
    let quota: UInt64?
    /// The usage before a recount, in bytes; `nil` if the namespace was not recounted.
    let usedBefore: UInt64?

    /// The usage of all namespaces that have or had a key, or have a quota in the policy, in byte order of the names.
    ///
    /// - Parameter recount: Whether to recount the namespaces that workers count.
    static func all(
        in selection: KeySelection,
        of store: any UsageCounting,
        _ policy: StorePolicy,
        recount: Bool
    ) throws -> [NamespaceUsage] {
        let named = policy.namespaces.filter { $0.value.quota != nil }.keys
            .filter { selection.namespace == nil || selection.namespace == $0 }
        return try Set(store.namespaces(in: selection) + named).sorted().map { namespace in
            let quota = policy[namespace].quota
            let isCounted = try recount && (quota != nil || store.isCounted(namespace))
            let (before, used) = try isCounted ? store.recount(namespace) : (nil, store.usage(of: namespace))
            return NamespaceUsage(namespace: "\(namespace)", used: used, quota: quota, usedBefore: before)
        }
    }

    /// Formats the rows as text, one line per namespace.
    static func table(_ rows: [NamespaceUsage]) -> String {
        Output.table([["NAMESPACE", "USED", "QUOTA", "LEFT"]] + rows.map(\.cells))
    }

    /// A message that a recount changed the usage; `nil` if it did not.
    var correction: String? {
        guard let usedBefore, usedBefore != used else { return nil }
        return "usage of '\(namespace)' corrected from \(usedBefore) to \(used) bytes"
    }

    private var cells: [String] {
        let left = quota.map { $0 > used ? $0 - used : 0 }
        return [namespace, Output.size(used), quota.map(Output.size) ?? "-", left.map(Output.size) ?? "-"]
    }
}
