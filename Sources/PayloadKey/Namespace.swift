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
    public init(validating name: some Collection<UInt8>) throws(NamespaceError) {
        guard !name.isEmpty else { throw .empty }
        guard name.count <= Self.maximumLength else { throw .tooLong(bytes: name.count) }
        guard let text = String(validating: name, as: UTF8.self) else { throw .notUTF8 }
        // NUL, the C0 and C1 controls and DEL are Unicode's general category Cc.
        guard !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
            throw .controlCharacter
        }
        guard !name.contains(UInt8(ascii: "/")) else { throw .slash }
        guard !name.elementsEqual(".".utf8), !name.elementsEqual("..".utf8) else { throw .dots }
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
public enum NamespaceError: Error, Equatable {
    case empty
    case tooLong(bytes: Int)
    case notUTF8
    case controlCharacter
    case slash
    case dots
}

extension NamespaceError: CustomStringConvertible {
    /// One line that names the value or the limit.
    public var description: String {
        switch self {
        case .empty: "namespace is empty"
        case .tooLong(let bytes): "namespace has \(bytes) bytes, at most \(Namespace.maximumLength) are allowed"
        case .notUTF8: "namespace is not valid UTF-8"
        case .controlCharacter: "namespace contains a control character"
        case .slash: "namespace contains '/'"
        case .dots: "namespace is '.' or '..'"
        }
    }
}
