/// An object in the bucket.
public struct S3Object: Sendable, Equatable {
    /// A size above the limit of any engine: an answer that states a larger one is malformed.
    static let largest: UInt64 = 1 << 50

    /// The whole key, including the location's prefix; in a listing, as the engine spells it.
    public let key: [UInt8]
    /// The size in bytes.
    public let size: UInt64
    /// When the object was stored or renewed, in Unix seconds.
    public let lastModified: Int

    /// Describes an object.
    public init(key: [UInt8], size: UInt64, lastModified: Int) {
        self.key = key
        self.size = size
        self.lastModified = lastModified
    }
}
