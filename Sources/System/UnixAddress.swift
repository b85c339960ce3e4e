import Glibc

/// The address of a unix socket (unix(7)).
package struct UnixAddress {
    /// The longest path, in bytes.
    package static let longestPath = MemoryLayout<sockaddr_un>.size - pathOffset - 1
    private static let pathOffset = MemoryLayout<sa_family_t>.size

    private var address = sockaddr_un()
    private let size: socklen_t

    /// - Parameters:
    ///   - path: the socket's path.
    ///   - canBeAbstract: whether a leading `@` means a name in the abstract namespace, as in `NOTIFY_SOCKET` (sd_notify(3)).
    /// - Returns: `nil` if the path is longer than ``longestPath``.
    package init?(_ path: String, canBeAbstract: Bool = false) {
        let bytes = Array(path.utf8)
        guard bytes.count <= Self.longestPath else { return nil }
        address.sun_family = sa_family_t(AF_UNIX)
        size = socklen_t(Self.pathOffset + bytes.count)
        withUnsafeMutableBytes(of: &address.sun_path) { name in
            name.copyBytes(from: bytes)
            if canBeAbstract, bytes.first == UInt8(ascii: "@") { name[0] = 0 }
        }
    }

    package func withPointer<Output>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Output) -> Output {
        withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, size) }
        }
    }
}
