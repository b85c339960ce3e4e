import PayloadKey

/// Tests keys: a parsed key and each of its parts are written as they were read.
func fuzzKey(_ text: [UInt8]) {
    if let digest = try? Digest(parsing: text) {
        precondition("\(digest)".utf8.elementsEqual(text))
        precondition(digest.bytes.count == 32)
    }
    guard let key = PayloadKey(parsing: text) else { return }
    precondition(key.utf8 == text)
    precondition(PayloadKey(parsing: key.utf8) == key)
    checkNamespace(key.namespace)
    if let prefix = key.prefix { checkPrefix(prefix) }
}
