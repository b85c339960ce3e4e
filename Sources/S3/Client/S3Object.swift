/// An object of the bucket.
public struct S3Object: Sendable, Equatable {
    /// More bytes than any engine takes: what says so is wrong.
    static let largest: UInt64 = 1 << 50

    /// The whole key, with the location's prefix; as the engine names it, where it was listed.
    public let key: [UInt8]
    /// In bytes.
    public let size: UInt64
    /// Unix seconds: when it was stored or renewed.
    public let lastModified: Int

    /// Describes an object.
    public init(key: [UInt8], size: UInt64, lastModified: Int) {
        self.key = key
        self.size = size
        self.lastModified = lastModified
    }
}
