import TestSupport
import Testing

@testable import Encoding

@Suite(.runLimit) struct JSONReaderTests {
    /// Parses an object of strings and nulls, from pieces of `size` bytes, or from one array.
    private func parse(_ text: String, pieces size: Int? = nil) throws -> [String: String?] {
        let bytes = Array(text.utf8)
        var reader = JSONReader(bytes)
        if let size { reader = JSONReader { Array(bytes.dropFirst($0).prefix(size)) } }
        var members: [String: String?] = [:]
        try reader.skipWhitespace()
        try reader.object { reader, name in
            let value = try reader.null() ? nil : reader.string()
            members.updateValue(
                value.map { String(decoding: $0, as: UTF8.self) },
                forKey: String(decoding: name, as: UTF8.self)
            )
        }
        try reader.end()
        return members
    }

    @Test(arguments: [nil, 1, 2, 3, 7])
    func `Members with escapes and white space are parsed, however the text is split`(size: Int?) throws {
        #expect(try parse("{}", pieces: size) == [:])
        #expect(
            try parse(" \n{ \"a\" :\t\"b\" , \"c\" : null }\r\n", pieces: size) == ["a": "b", "c": nil]
        )
        #expect(
            try parse(#"{"\"\\\/\b\f\n\r\t":"\u0041\u00e9\u20AC\ud83d\ude00"}"#, pieces: size)
                == ["\"\\/\u{8}\u{C}\n\r\t": "Aé€😀"]
        )
    }

    @Test(
        arguments: [
            "", " ", "{", "}", "[]", "\"a\"", "1", "true", "nul", "{\"a\"}", "{\"a\":}", "{\"a\":1}", "{\"a\":true}",
            "{\"a\":{}}", "{\"a\":[]}", "{\"a\":\"b\"", "{\"a\":\"b\",}", "{,}", "{\"a\":\"b\"}x", "{\"a\":\"b\"}{}",
            "{a:\"b\"}",
            "{'a':'b'}", "{\"a\":\"b}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u12\"}", "{\"a\":\"\\u12G4\"}",
            "{\"a\":\"\\ud83d\"}",
            "{\"a\":\"\\ude00\"}", "{\"a\":\"\\ud83d\\u0041\"}", "{\"a\":\"\n\"}", "{\"a\":\"\u{1}\"}", "{\"a\" \"b\"}",
            "null", "nullx",
        ]
    )
    func `Malformed objects are refused`(text: String) {
        #expect(throws: JSONSyntaxError.self) { try parse(text) }
    }

    @Test func `Strings that are not UTF-8 are refused`() {
        let text = [UInt8(ascii: "\""), 0xFF, UInt8(ascii: "\"")]
        #expect(throws: JSONSyntaxError(reason: "string is not valid UTF-8", offset: 0)) {
            var reader = JSONReader(text)
            return try reader.string()
        }
        #expect(throws: JSONSyntaxError.self, "also if they are skipped") {
            var reader = JSONReader(text)
            try reader.skip()
        }
    }

    @Test func `A string longer than its limit is refused`() {
        #expect(throws: JSONSyntaxError(reason: "string has over 3 bytes", offset: 0)) {
            var reader = JSONReader(Array("\"abcd\"".utf8))
            reader.stringLimit = 3
            return try reader.string()
        }
    }

    @Test(
        arguments: [
            "1", "-0.5e+10", "0", "1E5", "true", "false", "null", "\"a\"", "[]", "[1,\"a\",[{}]]",
            "{\"a\":{\"b\":[null , true]}}",
        ]
    )
    func `A value of any kind can be skipped`(text: String) throws {
        var reader = JSONReader(Array("\(text) ".utf8))
        try reader.skip()
        try reader.end()
    }

    @Test(
        arguments: ["", "01", "-", "1.", ".5", "1e", "+1", "tru", "[1,]", "[1 2]", "{\"a\":1,}", "NaN", "]", "1x"]
            + [String(repeating: "[", count: 100_000), String(repeating: "{\"a\":", count: 100_000)]
            + [String(repeating: "1", count: 1000)]
    )
    func `Malformed or too deeply nested values are refused`(text: String) {
        #expect(throws: JSONSyntaxError.self) {
            var reader = JSONReader(Array(text.utf8))
            try reader.skip()
            try reader.end()
        }
    }

    @Test(arguments: [("0", 0), ("18446744073709551615", UInt64.max), ("7 ", 7), ("1000.0", 1000), ("0.00", 0)])
    func `A number without a sign is parsed`(text: String, number: UInt64) throws {
        var reader = JSONReader(Array(text.utf8))
        #expect(try reader.unsignedInteger() == number)
    }

    @Test(arguments: ["-1", "-0", "-1.0", "1.5", "1.01", "1e2", "1.0e2", "18446744073709551616", "\"1\"", "", "00"])
    func `Other numbers are refused`(text: String) {
        #expect(throws: JSONSyntaxError.self) {
            var reader = JSONReader(Array(text.utf8))
            return try reader.unsignedInteger()
        }
    }

    @Test(arguments: [nil, 4]) func `A reader can go back to an earlier offset`(size: Int?) throws {
        let text = Array(#"["first","second"]"#.utf8)
        var reader = JSONReader(text)
        if let size { reader = JSONReader { Array(text.dropFirst($0).prefix(size)) } }
        var offsets: [Int] = []
        try reader.array {
            offsets.append($0.offset)
            try $0.skip()
        }
        try reader.end()
        for (offset, word) in zip(offsets, ["first", "second"]) {
            reader.seek(offset)
            #expect(try reader.string() == Array(word.utf8))
        }
    }
}
