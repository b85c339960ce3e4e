import Testing

@testable import PayloadKey

@Suite struct FlatJSONObjectTests {
    private func parse(_ text: String) throws -> [String: String?] {
        let members = try FlatJSONObject.parse(Array(text.utf8))
        return Dictionary(
            members.map {
                (String(decoding: $0.name, as: UTF8.self), $0.value.map { String(decoding: $0, as: UTF8.self) })
            },
            uniquingKeysWith: { $1 }
        )
    }

    @Test func `Members are read with their escapes and white space`() throws {
        #expect(try parse("{}") == [:])
        #expect(try parse(" \n{ \"a\" :\t\"b\" , \"c\" : null }\r\n") == ["a": "b", "c": nil])
        #expect(
            try parse(#"{"\"\\\/\b\f\n\r\t":"\u0041\u00e9\u20AC\ud83d\ude00"}"#) == ["\"\\/\u{8}\u{C}\n\r\t": "Aé€😀"]
        )
        #expect(try parse("null") == [:])
    }

    @Test(
        arguments: [
            "", " ", "{", "}", "[]", "\"a\"", "1", "true", "nul", "{\"a\"}", "{\"a\":}", "{\"a\":1}", "{\"a\":true}",
            "{\"a\":{}}", "{\"a\":[]}", "{\"a\":\"b\"", "{\"a\":\"b\",}", "{,}", "{\"a\":\"b\"}x", "{\"a\":\"b\"}{}",
            "{a:\"b\"}",
            "{'a':'b'}", "{\"a\":\"b}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u12\"}", "{\"a\":\"\\u12G4\"}",
            "{\"a\":\"\\ud83d\"}",
            "{\"a\":\"\\ude00\"}", "{\"a\":\"\\ud83d\\u0041\"}", "{\"a\":\"\n\"}", "{\"a\":\"\u{1}\"}", "{\"a\" \"b\"}",
            "nullx",
        ]
    )
    func `Anything else is refused`(text: String) {
        #expect(throws: FlatJSONObject.SyntaxError.self) { try parse(text) }
    }

    @Test func `Strings that are not UTF-8 are refused`() {
        let text = Array("{\"a".utf8) + [0xFF] + Array("\":\"b\"}".utf8)
        #expect(throws: FlatJSONObject.SyntaxError(reason: "string is not valid UTF-8", offset: 1)) {
            try FlatJSONObject.parse(text)
        }
    }
}
