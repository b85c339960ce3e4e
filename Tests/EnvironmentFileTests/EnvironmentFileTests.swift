import EnvironmentFile
import Testing

@Suite struct EnvironmentFileTests {
    @Test func `A line is a name and a value, in quotes or not, and comments say nothing`() throws {
        let file = try EnvironmentFile(
            path: "f",
            text: "# a\n; b\n\n A=1\nB = \" two \" \r\nC='it''s'\nD=\"a \\\"b\\\" \\\\ \\c\"\nE=\nA=2\n"
        )
        #expect(file["A"] == "2")
        #expect(file["B"] == " two ")
        #expect(file["C"] == "it''s")
        #expect(file["D"] == "a \"b\" \\ \\c")
        #expect(file["E"] == nil)
        #expect(file.names.sorted() == ["A", "B", "C", "D", "E"])
    }

    @Test func `A quote stays a quote beside what joins with it to one character`() throws {
        let file = try EnvironmentFile(path: "f", text: "A=\"\u{301}x\"\nB='\u{200D}'\n#\u{301}\nC\u{20}=\u{301}")
        #expect(file["A"]?.unicodeScalars.elementsEqual("\u{301}x".unicodeScalars) == true)
        #expect(file["B"]?.unicodeScalars.elementsEqual("\u{200D}".unicodeScalars) == true)
        #expect(file["C"]?.unicodeScalars.elementsEqual("\u{301}".unicodeScalars) == true)
        #expect(file.names.count == 3)
    }

    @Test func `A line is told of in one line, whatever is in it`() throws {
        let error = try #require(throws: EnvironmentFileError.self) {
            try EnvironmentFile(path: "f", text: "a\u{1B}[2J\u{85}")
        }
        #expect(error.description == "f, line 1: 'a\\u{1B}[2J\\u{0085}', expected NAME=value")
    }

    @Test(arguments: ["A", "=1", "A B=1", "\u{E4}=1", "A=\"1", "A='1\"", "A=\"1\\\"", "A=\""])
    func `What is no setting is named with file and line`(line: String) throws {
        let error = try #require(throws: EnvironmentFileError.self) {
            try EnvironmentFile(path: "f", text: "# a\n\(line)\n")
        }
        #expect(error.description == "f, line 2: '\(line)', expected NAME=value")
    }
}
