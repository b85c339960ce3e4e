import TestSupport
import Testing

@testable import PayloadKey

@Suite(.runLimit) struct KeyPrefixTests {
    @Test(arguments: ["1234", "team_a/wf-42", "A", "/", "a//b", "/a/"])
    func `A prefix consists of letters, digits, underscores, hyphens and slashes`(prefix: String) {
        #expect(KeyPrefix(validating: prefix.utf8)?.description == prefix)
    }

    @Test(arguments: ["", "a b", "a.b", "..", "../x", "ä", "a\0", "a\n", "a%2F", "a:b"])
    func `A prefix with other characters is refused`(prefix: String) {
        #expect(KeyPrefix(validating: prefix.utf8) == nil)
    }

    @Test func `A prefix is limited to 512 bytes, and each part to 200`() {
        let part = String(repeating: "x", count: 200)
        #expect(KeyPrefix(validating: part.utf8) != nil)
        #expect(KeyPrefix(validating: (part + "x").utf8) == nil)
        #expect(KeyPrefix(validating: String(repeating: "x/", count: 256).utf8) != nil)
        #expect(KeyPrefix(validating: (String(repeating: "x/", count: 256) + "x").utf8) == nil)
    }

    @Test func `Empty parts collapse on disk`() {
        #expect(KeyPrefix(validating: "/a//b/".utf8)?.folders == ["a", "b"])
        #expect(KeyPrefix(validating: "/".utf8)?.folders == [])
    }
}
