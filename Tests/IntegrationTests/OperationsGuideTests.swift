import Foundation
import TestSupport
import Testing

/// Compares `docs/operations.md` with the service's messages.
@Suite(.runLimit) struct OperationsGuideTests {
    private let guide: String

    init() throws {
        guide = try Project.text("docs/operations.md")
    }

    private func matches(_ expression: String, in path: String) throws -> [String] {
        let text = try Project.text(path)
        let found = try NSRegularExpression(pattern: expression)
            .matches(in: text, range: NSRange(text.startIndex..., in: text))
        return found.compactMap { Range($0.range(at: 1), in: text).map { String(text[$0]) } }
    }

    @Test func `Every warning and error that a worker logs has a row in the guide`() throws {
        let sources = files(below: "\(Project.root)/Sources").filter { $0.hasSuffix(".swift") && !$0.hasPrefix("lps/") }
        let messages = try sources.flatMap {
            try matches(#"logger\.(?:warning|error|log)\(\s*(?:level: [^"]*, )?"([^"]+)""#, in: "Sources/\($0)")
        }
        #expect(messages.count > 20)
        for message in messages {
            let hasRow = guide.contains("`\(message)`")
            #expect(hasRow, "\(message)")
        }
    }

    @Test func `The guide explains every text that nginx answers by itself`() throws {
        let http = try matches(#"(?m)^ +(?:\d{3}|default|"~\^5") "([^"]+ [^"]+)";"#, in: "nginx/http.conf")
        let locations = try ["server.conf", "codec.conf", "s3.conf", "probes.conf"].flatMap {
            try matches(#"return [45]\d\d "([^"]+)";"#, in: "nginx/\($0)")
        }
        #expect(http.count == 12 && locations.count > 8)
        for text in http + locations {
            // The guide omits figures.
            let isExplained = guide.contains(text.prefix { !$0.isNumber && $0 != "$" })
            #expect(isExplained, "\(text)")
        }
    }
}
