/// A cache of the most recently used values: it holds at least the last half of its capacity.
package struct RecentValues<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private let half: Int
    private var young: [Key: Value] = [:]
    private var old: [Key: Value] = [:]

    /// - Parameter capacity: the largest number of values to hold.
    package init(capacity: Int) { half = max(1, capacity / 2) }

    /// Reading a value keeps it in the cache. Once half the capacity has been inserted or read, all values unused since
    /// then are dropped together.
    package subscript(key: Key) -> Value? {
        mutating get {
            if let value = young[key] { return value }
            guard let value = old.removeValue(forKey: key) else { return nil }
            insert(value, key)
            return value
        }
        set {
            old[key] = nil
            young[key] = nil
            if let newValue { insert(newValue, key) }
        }
    }

    private mutating func insert(_ value: Value, _ key: Key) {
        if young.count >= half {
            old = young
            young = [:]
        }
        young[key] = value
    }
}
