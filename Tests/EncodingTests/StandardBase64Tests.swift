import TestSupport
import Testing

@testable import Encoding

@Suite(.runLimit) struct StandardBase64Tests {
    @Test func `Appended text is the same as encoded text, for every byte and every length of the last group`() {
        let bytes = (0..<768).map { UInt8(truncatingIfNeeded: $0 &* 151) }
        for count in [0, 1, 2, 3, 4, 5, 31, 32, 33, 766, 767, 768] {
            var text = Array("sha-256=:".utf8)
            StandardBase64.append(Array(bytes.prefix(count)), to: &text)
            #expect(String(decoding: text, as: UTF8.self) == "sha-256=:\(StandardBase64.encode(bytes.prefix(count)))")
        }
        #expect(StandardBase64.encode(Array("fooba".utf8)) == "Zm9vYmE=")
    }
}
