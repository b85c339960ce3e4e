import Encoding
import EnvironmentFile
import TestSupport
import Testing

@Suite(.runLimit) struct EnvironmentFileTests {
    private func file(_ text: String) throws -> EnvironmentFile {
        try EnvironmentFile(path: "f", text: text.utf8)
    }

    @Test(
        arguments: [
            (" A=1", "1"), ("A=0\nA=2", "2"), ("A = \" two \" \r\n", " two "), ("A='it''s'", "it''s"), ("A=", nil),
            (#"A="a \"b\" \\ \c""#, #"a "b" \ \c"#), ("# A=1\n; A=1\n\n", nil),
            // A quote, an equals sign or a # keeps its meaning if a combining character follows it.
            ("A=\"\u{301}x\"", "\u{301}x"), ("A='\u{200D}'", "\u{200D}"), ("#\u{301}\nA =\u{301}", "\u{301}"),
        ] as [(String, String?)]
    )
    func `A line is a name and a value, quoted or not, and comments are ignored`(text: String, value: String?) throws {
        let found = try file(text)["A"]
        #expect(found.map { Array($0.utf8) } == value.map { Array($0.utf8) })
    }

    @Test func `An empty setting has a name, too`() throws {
        #expect(try file("B=1\n_1=\n# C=1").names.sorted() == ["B", "_1"])
    }

    @Test(
        arguments: ["A", "=1", "A B=1", "\u{E4}=1", "A=\"1", "A='1\"", "A=\"1\\\"", "A=\""].map { ($0, $0) }
            + [("a\u{1B}[2J\u{85}", "a\\u{1B}[2J\\u{0085}")]
    )
    func `The error for an invalid line names file and line, in one line`(line: String, shown: String) throws {
        let error = #expect(throws: SettingsError.self) { try file("# a\n\(line)\n") }
        #expect(error?.description == "f, line 2: '\(shown)', expected NAME=value")
    }
}
