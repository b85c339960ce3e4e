import TestSupport
import Testing

@testable import Encoding

@Suite(.runLimit) struct PercentEncodingTests {
    @Test(
        arguments: [
            ("a%2Fb", "a/b"), ("a+b", "a b"), ("%2B", "+"), ("%e9", "\u{FFFD}"), ("%C3%A9", "é"), ("%", "%"),
            ("%4", "%4"),
            ("%zz", "%zz"), ("%%41", "%A"), ("", ""), ("plain/text", "plain/text"),
        ]
    )
    func `A query value is decoded, and keeps a stray percent sign`(text: String, decoded: String) {
        #expect(String(decoding: PercentEncoding.decodeQueryValue(text.utf8), as: UTF8.self) == decoded)
    }

    @Test func `In a path, all bytes except slashes and unreserved characters are encoded`() {
        #expect(PercentEncoding.encodePath("keys/a b/é?%#.-_~".utf8) == "keys/a%20b/%C3%A9%3F%25%23.-_~")
        #expect(PercentEncoding.encodePath("objects/ab/.-_~".utf8) == "objects/ab/.-_~")
    }
}
