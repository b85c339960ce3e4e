import PayloadKey
import Storage
import StorePolicy

/// What a namespace uses of its quota, as JSON has it.
struct NamespaceUsage: Encodable {
    let namespace: String
    /// Bytes.
    let used: UInt64
    let quota: UInt64?
    /// As it was counted before a recount.
    let usedBefore: UInt64?

    /// Those of the namespaces that have, or had, a key, and those that the policy names with a quota; in order of their
    /// bytes.
    ///
    /// - Parameter recount: count those again that are counted.
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

    /// A line for each.
    static func table(_ rows: [NamespaceUsage]) -> String {
        Output.table([["NAMESPACE", "USES", "QUOTA", "LEFT"]] + rows.map(\.cells))
    }

    /// What a recount has found to be wrong; `nil` when nothing was.
    var correction: String? {
        guard let usedBefore, usedBefore != used else { return nil }
        return "'\(namespace)' was counted as \(usedBefore) bytes, and has \(used)"
    }

    private var cells: [String] {
        let left = quota.map { $0 > used ? $0 - used : 0 }
        return [namespace, Output.size(used), quota.map(Output.size) ?? "-", left.map(Output.size) ?? "-"]
    }
}
