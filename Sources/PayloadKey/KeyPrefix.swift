import Encoding

/// The part of a key that a client chooses (metadata `remote-codec/key-prefix`), so that an operator can see, size and
/// delete payloads by it: `^[0-9a-zA-Z_\-/]+$`, at most 512 bytes, no part over 200.
public struct KeyPrefix: Hashable, Sendable {
    /// The longest prefix, in bytes.
    public static let maximumLength = 512
    /// The longest part between slashes, in bytes: each part names a folder.
    public static let maximumPartLength = 200

    /// The prefix as the client wrote it, empty parts included; ASCII.
    public let utf8: [UInt8]

    /// The parts that name folders: empty parts (`a//b`, a leading or trailing slash) collapse.
    public var folders: [String] {
        utf8.split(separator: UInt8(ascii: "/")).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Takes a prefix as it came over the wire; `nil` when it breaks a rule.
    public init?(validating prefix: some Collection<UInt8>) {
        guard (1...Self.maximumLength).contains(prefix.count),
            prefix.allSatisfy({ $0.isLetterOrDigit(or: "_-/") }),
            prefix.split(separator: UInt8(ascii: "/")).allSatisfy({ $0.count <= Self.maximumPartLength })
        else { return nil }
        utf8 = Array(prefix)
    }
}

extension KeyPrefix: CustomStringConvertible {
    /// The prefix as the client wrote it.
    public var description: String { String(decoding: utf8, as: UTF8.self) }
}
