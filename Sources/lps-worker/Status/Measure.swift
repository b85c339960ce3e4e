import Storage
import Scoreboard

/// What a pool's store had when it was last measured, as the pool's processes have it in common.
///
/// The scoreboard outlives a move to another store, whose figures these are not.
struct Measure {
    let objects: UInt64
    let bytes: UInt64
    /// Seconds since 1970.
    let time: UInt64

    /// The last measure of the store with this name; `nil` when there is none.
    init?(of store: String, _ scoreboard: Scoreboard) {
        time = scoreboard[value: PoolValue.storeMeasured.rawValue]
        guard time != 0, scoreboard[value: PoolValue.storeMeasuredName.rawValue] == Self.hash(store) else { return nil }
        objects = scoreboard[value: PoolValue.storeObjects.rawValue]
        bytes = scoreboard[value: PoolValue.storeBytes.rawValue]
    }

    /// Records what the store with this name has.
    static func record(_ usage: StoreUsage, of store: String, at time: UInt64, _ scoreboard: Scoreboard) {
        // Another process may read meanwhile: what it reads then is none.
        scoreboard[value: PoolValue.storeMeasured.rawValue] = 0
        scoreboard[value: PoolValue.storeMeasuredName.rawValue] = hash(store)
        scoreboard[value: PoolValue.storeObjects.rawValue] = usage.objects
        scoreboard[value: PoolValue.storeBytes.rawValue] = usage.bytes
        scoreboard[value: PoolValue.storeMeasured.rawValue] = time
    }

    /// FNV-1a of 64 bits (RFC 9923): the same in every process, other than `Hasher`'s.
    private static func hash(_ name: String) -> UInt64 {
        name.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
    }
}
