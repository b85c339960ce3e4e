/// A request as it goes on the wire.
struct HTTPRequest {
    /// What a request sends.
    enum Body {
        case none
        case bytes([UInt8])
        /// The first `size` bytes of an open file, from its start, wherever it is positioned.
        case file(Int32, size: UInt64)

        var size: UInt64 {
            switch self {
            case .none: 0
            case .bytes(let bytes): UInt64(bytes.count)
            case .file(_, let size): size
            }
        }
    }

    var method: String
    /// Scheme, host, path and query, percent-encoded.
    var url: String
    /// `Host` among them. Their values have no control characters.
    var headers: [(name: String, value: String)]
    var body: Body = .none
    /// Whether the environment's proxies are used.
    var usesProxies = true
}
