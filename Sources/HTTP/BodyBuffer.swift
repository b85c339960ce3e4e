/// Collects an answer's body in memory, up to a limit.
package final class BodyBuffer {
    private let limit: Int
    package private(set) var bytes: [UInt8] = []
    /// Whether the body exceeded the limit.
    package private(set) var isCut = false

    package init(limit: Int) { self.limit = limit }

    package func take(_ piece: UnsafeRawBufferPointer) -> Exchange.Reception {
        isCut = piece.count > limit - bytes.count
        bytes += piece.prefix(limit - bytes.count)
        return isCut ? .enough : .goOn
    }
}
