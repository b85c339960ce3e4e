import Testing

@testable import lps_worker

@Suite struct LogfmtHandlerTests {
    @Test(
        arguments: [
            ("plain", "plain"), ("", "\"\""), ("two words", "\"two words\""), ("a=b", "\"a=b\""),
            ("say \"x\"", #""say \"x\"""#),
            ("a\nlevel=error msg=fake", #""a\nlevel=error msg=fake""#), ("\u{1B}[31m", #""\u{1B}[31m""#),
            ("é", "\"é\""),
        ]
    )
    func `A value can neither break a log line nor forge a field`(value: String, written: String) {
        #expect(LogfmtHandler.quoted(value) == written)
    }
}
