import TestSupport
import Testing

@testable import PayloadKey

@Suite(.runLimit) struct DigestTests {
    private static let hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

    @Test func `The digest of content is its SHA-256`() {
        #expect(Digest(of: "hello".utf8).description == "sha256:\(Self.hello)")
        #expect(Digest(of: "".utf8).hex == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    }

    @Test func `A digest's description parses to the same digest`() throws {
        let digest = Digest(of: "hello".utf8)
        #expect(try Digest(parsing: digest.description.utf8) == digest)
    }

    @Test(
        arguments: ["", "sha256", "sha256:", "a:b:c", "sha256:00", "sha256:\(hello.uppercased())"]
            + [63, 65].map { "sha256:" + String(repeating: "a", count: $0) }
    )
    func `Anything but two tokens and 64 lower-case hex digits is a format error`(text: String) {
        #expect(throws: DigestError.format(Array(text.utf8))) { try Digest(parsing: text.utf8) }
    }

    @Test(arguments: ["md5", "SHA256", "", "sha256 "])
    func `The error for another algorithm names it`(algorithm: String) {
        #expect(throws: DigestError.algorithm(Array(algorithm.utf8))) {
            try Digest(parsing: "\(algorithm):\(Self.hello)".utf8)
        }
    }

    @Test func `Hashing in pieces gives the digest of the whole`() {
        var hasher = DigestHasher()
        hasher.update(Array("hel".utf8))
        hasher.update(Array("lo".utf8))
        #expect(hasher.finalize() == Digest(of: "hello".utf8))
    }
}
