import Storage
import Scoreboard

/// The number and size of a store's objects when a process of the pool last measured them.
///
/// The scoreboard holds the store's name as well, because it outlives a move to another store.
struct Measure {
    let objects: UInt64
    let bytes: UInt64
    /// Seconds since 1970.
    let time: UInt64

    /// Reads the last measure of the store with this name; `nil` if nobody measured that store.
    init?(of store: String, _ scoreboard: Scoreboard) {
        time = scoreboard[value: PoolValue.storeMeasured.rawValue]
        guard time != 0, scoreboard[value: PoolValue.storeMeasuredName.rawValue] == Self.hash(store) else { return nil }
        objects = scoreboard[value: PoolValue.storeObjects.rawValue]
        bytes = scoreboard[value: PoolValue.storeBytes.rawValue]
    }

    /// Replaces the pool's measure.
    static func record(_ usage: StoreUsage, of store: String, at time: UInt64, _ scoreboard: Scoreboard) {
        // Until the last line, other processes read no measure rather than a mixture of two.
        scoreboard[value: PoolValue.storeMeasured.rawValue] = 0
        scoreboard[value: PoolValue.storeMeasuredName.rawValue] = hash(store)
        scoreboard[value: PoolValue.storeObjects.rawValue] = usage.objects
        scoreboard[value: PoolValue.storeBytes.rawValue] = usage.bytes
        scoreboard[value: PoolValue.storeMeasured.rawValue] = time
    }

    /// 64-bit FNV-1a (RFC 9923). Unlike `Hasher`, it gives every process the same value.
    private static func hash(_ name: String) -> UInt64 {
        name.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
    }
}
