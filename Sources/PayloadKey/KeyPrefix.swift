import Encoding

/// The part of a key that a client chooses (metadata `remote-codec/key-prefix`), by which operators can list, measure and
/// delete payloads: `^[0-9a-zA-Z_\-/]+$`, at most 512 bytes, at most 200 between slashes.
public struct KeyPrefix: Hashable, Sendable {
    /// The maximum length of a prefix in bytes.
    public static let maximumLength = 512
    /// The maximum length of a part between slashes in bytes: each part names a folder.
    public static let maximumPartLength = 200

    /// The prefix as the client wrote it, including empty parts; ASCII.
    public let utf8: [UInt8]

    /// The parts that name folders, without empty parts (`a//b`, a leading or trailing slash).
    public var folders: [String] {
        utf8.split(separator: UInt8(ascii: "/")).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Validates a client's prefix; `nil` if it breaks a rule.
    public init?(validating prefix: some Collection<UInt8>) {
        guard (1...Self.maximumLength).contains(prefix.count),
            prefix.allSatisfy({ $0.isLetterOrDigit(or: "_-/") }),
            prefix.split(separator: UInt8(ascii: "/")).allSatisfy({ $0.count <= Self.maximumPartLength })
        else { return nil }
        utf8 = Array(prefix)
    }
}

extension KeyPrefix: CustomStringConvertible {
    /// The prefix as text.
    public var description: String { String(decoding: utf8, as: UTF8.self) }
}
