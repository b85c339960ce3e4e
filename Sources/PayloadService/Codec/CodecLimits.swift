import PayloadKey

/// The sizes above which the codec server stores and shows payloads differently, in bytes.
public struct CodecLimits: Sendable {
    /// The codec server stores payloads whose serialized size exceeds this.
    public var minimumSize: UInt64
    /// Clients that can download payloads (`preserveStorageRefs`) get references for payloads larger than this.
    public var displayLimit: UInt64
    /// A decode leaves the references to payloads that would make its answer larger than this.
    public var answerLimit: UInt64

    /// Makes limits. A page shows 1 MiB well; a browser or a terminal can handle 64 MiB.
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
