import TestSupport
import Testing

@testable import Encoding

@Suite(.runLimit) struct JSONTextTests {
    @Test(
        arguments: [
            ("plain", #""plain""#), ("a\"b\\c", #""a\"b\\c""#), ("<a>&b", #""\u003ca\u003e\u0026b""#),
            ("\u{2028}\u{2029}", #""\u2028\u2029""#), ("\n\r\t\u{8}\u{C}\u{1}", #""\n\r\t\b\f\u0001""#),
            ("é😀/", #""é😀/""#),
        ]
    )
    func `A string is written as Go's encoder writes it`(text: String, json: String) {
        #expect(JSONText.string(text.unicodeScalars) == json)
        var appended: [UInt8] = []
        JSONText.append(Array(text.utf8), to: &appended)
        #expect(String(decoding: appended, as: UTF8.self) == json)
    }
}
