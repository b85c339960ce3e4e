import TestSupport
import Testing

@testable import PayloadKey

@Suite(.runLimit) struct NamespaceTests {
    @Test(arguments: [
        "default", "orders.acct1", "a b", "ä", "日本", "...", ".hidden", "%2F", "\\", "\"", "a:b", "-", "👩‍👩‍👧", "\u{2028}",
    ])
    func `Any UTF-8 without slashes and control characters is a namespace`(name: String) throws {
        #expect(try Namespace(validating: name.utf8).utf8 == Array(name.utf8))
    }

    @Test(
        arguments: [
            ("", "is empty"), (".", "is '.' or '..'"), ("..", "is '.' or '..'"), ("a/b", "contains '/'"),
            ("/", "contains '/'"), ("a\0b", "contains a control character"), ("a\nb", "contains a control character"),
            ("\u{7F}", "contains a control character"), ("\u{85}", "contains a control character"),
            ("a\r\nb", "contains a control character"),
            (String(repeating: "a", count: 199) + "ä", "has 201 bytes, at most 200 are allowed"),
        ]
    )
    func `Names that could leave their folder or corrupt a log are refused`(name: String, reason: String) {
        #expect(throws: NamespaceError(reason)) { try Namespace(validating: name.utf8) }
    }

    @Test func `The limit is 200 bytes, not 200 characters`() throws {
        #expect(try Namespace(validating: String(repeating: "a", count: 200).utf8).utf8.count == 200)
    }

    @Test(arguments: [[0xFF], [0xC3], [0xED, 0xA0, 0x80], [0xC0, 0xAF]] as [[UInt8]])
    func `Bytes that are not UTF-8 are refused`(bytes: [UInt8]) {
        #expect(throws: NamespaceError("is not valid UTF-8")) { try Namespace(validating: bytes) }
    }

    @Test func `Names that are equal in Unicode but differ in bytes are different namespaces`() throws {
        let composed = try Namespace(validating: "\u{E9}".utf8)
        let decomposed = try Namespace(validating: "e\u{301}".utf8)
        #expect(composed != decomposed)
        #expect(Set([composed, decomposed]).count == 2)
    }
}
