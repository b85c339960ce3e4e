import PayloadKey

/// What the codec server stores, and how much of it it shows; all in bytes.
public struct CodecLimits: Sendable {
    /// A payload is stored when its serialized size is over this.
    public var minimumSize: UInt64
    /// A payload over this is shown as a reference to a client that offers to download it (`preserveStorageRefs`).
    public var displayLimit: UInt64
    /// A payload that would take the answer of a decode over this is shown as a placeholder.
    public var answerLimit: UInt64

    /// Makes limits; 1 MiB is what a page shows well, 64 MiB what a browser or a terminal takes.
    public init(
        minimumSize: UInt64 = UInt64(PayloadReference.defaultMinimumSize),
        displayLimit: UInt64 = 1 << 20,
        answerLimit: UInt64 = 64 << 20
    ) {
        self.minimumSize = minimumSize
        self.displayLimit = displayLimit
        self.answerLimit = answerLimit
    }
}
