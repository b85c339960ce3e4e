/// A path of the codec server: `PREFIX/OPERATION` or `PREFIX/NAMESPACE/OPERATION`.
struct CodecPath: Equatable {
    enum Operation: String {
        case encode, decode, download

        var endpoint: RequestTrace.Endpoint {
            switch self {
            case .encode: .encode
            case .decode: .decode
            case .download: .download
            }
        }
    }

    let namespace: ServiceRequest.Bytes?
    let operation: Operation

    /// Returns `nil` if the path does not belong to the codec server.
    init?(_ path: ServiceRequest.Bytes, below prefix: ServiceRequest.Bytes) {
        guard path.starts(with: prefix) else { return nil }
        let parts = path.dropFirst(prefix.count)
            .split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).dropFirst()
        guard path.dropFirst(prefix.count).first == UInt8(ascii: "/"), (1...2).contains(parts.count),
            let last = parts.last, let operation = Operation(rawValue: String(decoding: last, as: UTF8.self))
        else { return nil }
        self.operation = operation
        namespace = parts.count == 2 ? parts.first : nil
    }
}
