/// A Temporal namespace that can safely name a folder: 1 to 200 bytes of UTF-8, no `/`, no control character, not `.`
/// or `..`.
///
/// Two namespaces are one only when their bytes are equal, also where Unicode calls them equivalent.
public struct Namespace: Hashable, Sendable {
    /// The longest name, in bytes: what a folder's name (255 bytes, NAME_MAX) can hold, with room to spare.
    public static let maximumLength = 200

    /// The name's UTF-8 bytes.
    public let utf8: [UInt8]

    /// Takes a name as it came over the wire.
    ///
    /// - Throws: ``NamespaceError`` that says what is wrong with it.
    public init(validating name: some Collection<UInt8>) throws {
        let limit = Self.maximumLength
        guard !name.isEmpty else { throw NamespaceError("is empty") }
        guard name.count <= limit else {
            throw NamespaceError("has \(name.count) bytes, at most \(limit) are allowed")
        }
        guard let text = String(validating: name, as: UTF8.self) else { throw NamespaceError("is not valid UTF-8") }
        // NUL, the C0 and C1 controls and DEL are Unicode's general category Cc.
        guard !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
            throw NamespaceError("contains a control character")
        }
        guard !name.contains(UInt8(ascii: "/")) else { throw NamespaceError("contains '/'") }
        guard !name.elementsEqual(".".utf8), !name.elementsEqual("..".utf8) else {
            throw NamespaceError("is '.' or '..'")
        }
        utf8 = Array(name)
    }
}

extension Namespace: CustomStringConvertible {
    /// The name as text, for messages and logs; compare ``utf8`` instead.
    public var description: String { String(decoding: utf8, as: UTF8.self) }
}

extension Namespace: Comparable {
    /// In the order of their bytes.
    public static func < (one: Namespace, other: Namespace) -> Bool { one.utf8.lexicographicallyPrecedes(other.utf8) }
}

/// Why a name cannot be a namespace.
public struct NamespaceError: Error, Equatable, CustomStringConvertible {
    /// One line that names the value or the limit.
    public let description: String

    init(_ description: String) { self.description = "namespace \(description)" }
}
