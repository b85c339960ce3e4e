import Encoding

/// A Temporal namespace that can safely name a folder: 1 to 200 bytes of UTF-8 without `/` and control characters, and
/// neither `.` nor `..`.
///
/// Namespaces that differ in any byte are different, even if Unicode considers them equivalent.
public struct Namespace: Hashable, Sendable {
    /// The maximum length of a name in bytes. A folder's name can have 255 (NAME_MAX).
    public static let maximumLength = 200

    /// The name's UTF-8 bytes.
    public let utf8: [UInt8]

    /// Validates a client's name.
    ///
    /// - Throws: ``NamespaceError`` that names the broken rule.
    public init(validating name: some Collection<UInt8>) throws {
        let limit = Self.maximumLength
        guard !name.isEmpty else { throw NamespaceError("is empty") }
        guard name.count <= limit else {
            throw NamespaceError("has \(name.count) bytes, at most \(limit) are allowed")
        }
        // An array's bytes are read without calls of generic code.
        utf8 = Array(name)
        if !utf8.allSatisfy({ $0.isPrintableASCII }) { try Self.checkCharacters(utf8) }
        guard !utf8.contains(UInt8(ascii: "/")) else { throw NamespaceError("contains '/'") }
        guard !utf8.equals("."), !utf8.equals("..") else {
            throw NamespaceError("is '.' or '..'")
        }
    }

    private static func checkCharacters(_ name: [UInt8]) throws {
        guard let text = String(validating: name, as: UTF8.self) else { throw NamespaceError("is not valid UTF-8") }
        // NUL, the C0 and C1 controls and DEL are Unicode's general category Cc.
        guard !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
            throw NamespaceError("contains a control character")
        }
    }
}

extension Namespace: CustomStringConvertible {
    /// The name as text, for messages and logs. Compare ``utf8``, not this.
    public var description: String { String(decoding: utf8, as: UTF8.self) }
}

extension Namespace: Comparable {
    /// Orders namespaces by their bytes.
    public static func < (one: Namespace, other: Namespace) -> Bool { one.utf8.lexicographicallyPrecedes(other.utf8) }
}

/// A name is not a valid namespace.
public struct NamespaceError: Error, Equatable, CustomStringConvertible {
    /// The broken rule, in one line.
    public let description: String

    init(_ description: String) { self.description = "namespace \(description)" }
}
