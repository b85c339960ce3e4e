import Testing

@testable import PayloadService

@Suite struct CodecPathTests {
    private func path(_ text: String, prefix: String = "/codec") -> String? {
        guard let path = CodecPath(Array(text.utf8), below: Array(prefix.utf8)) else { return nil }
        return "\(path.operation) \(path.namespace.map { String(decoding: $0, as: UTF8.self) } ?? "-")"
    }

    @Test func `A path is the prefix, a namespace or none, and an operation`() {
        #expect(path("/codec/encode") == "encode -")
        #expect(path("/codec/decode") == "decode -")
        #expect(path("/codec/a b/download") == "download a b")
        #expect(path("/codec/decode/decode") == "decode decode")
        #expect(path("/codec//decode") == "decode ")
        #expect(path("/a/b/ns/encode", prefix: "/a/b") == "encode ns")
        #expect(path("/encode", prefix: "") == "encode -")
    }

    @Test(arguments: [
        "", "/", "/codec", "/codec/", "/codecs/decode", "/codecdecode", "/codec/decode/", "/codec/a/b/decode",
        "/decode", "codec/decode",
    ])
    func `Any other path is none of the codec server`(text: String) {
        #expect(path(text) == nil)
    }
}
