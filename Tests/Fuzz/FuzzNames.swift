import Encoding
import PayloadKey

/// Tests namespaces and prefixes: they are safe as folder names, and a message about them is one line.
func fuzzNames(_ text: [UInt8]) {
    if let namespace = try? Namespace(validating: text) {
        precondition(namespace.utf8 == text)
        checkNamespace(namespace)
    }
    if let prefix = KeyPrefix(validating: text) {
        precondition(prefix.utf8 == text)
        checkPrefix(prefix)
    }
    precondition(!printable(text).utf8.contains { $0 < 0x20 || $0 == 0x7F })
}

func checkNamespace(_ namespace: Namespace) {
    precondition((1...200).contains(namespace.utf8.count))
    precondition(!namespace.utf8.contains { $0 < 0x20 || $0 == UInt8(ascii: "/") || $0 == 0x7F })
    precondition(namespace.utf8 != Array(".".utf8) && namespace.utf8 != Array("..".utf8))
    precondition(String(validating: namespace.utf8, as: UTF8.self) != nil)
}

func checkPrefix(_ prefix: KeyPrefix) {
    precondition((1...512).contains(prefix.utf8.count))
    for folder in prefix.folders {
        precondition((1...200).contains(folder.utf8.count) && !folder.utf8.contains(UInt8(ascii: "/")))
        precondition(!folder.utf8.contains(UInt8(ascii: ".")))
    }
}
