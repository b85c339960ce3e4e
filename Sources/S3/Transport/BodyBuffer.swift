/// Collects an answer's body in memory, up to a limit.
final class BodyBuffer {
    private let limit: Int
    private(set) var bytes: [UInt8] = []
    /// Whether the body exceeded the limit.
    private(set) var isCut = false

    init(limit: Int) { self.limit = limit }

    func take(_ piece: UnsafeRawBufferPointer) -> Exchange.Reception {
        isCut = piece.count > limit - bytes.count
        bytes += piece.prefix(limit - bytes.count)
        return isCut ? .enough : .goOn
    }
}
