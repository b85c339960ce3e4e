import Foundation
import TestSupport
import Testing

/// Documents name existing tests as evidence.
@Suite(.runLimit) struct DocumentedTestsTests {
    /// A suite and its tests, written as `` `Suite`: "one test", "another" `` or `` `Suite` ("one test") ``.
    private struct Mention {
        let suite: String
        let tests: [String]
    }

    private func mentions(in document: String) throws -> [Mention] {
        let pattern = #"`(\w+Tests)`(?:(?:: | \()((?:"[^"]+"(?:, )?)+))?"#
        let text = try Project.text(document)
        let range = NSRange(text.startIndex..., in: text)
        return try NSRegularExpression(pattern: pattern).matches(in: text, range: range).map { match in
            let names = Range(match.range(at: 2), in: text).map { text[$0].split(separator: "\"") } ?? []
            return Mention(
                suite: Range(match.range(at: 1), in: text).map { String(text[$0]) } ?? "",
                tests: names.map(String.init).filter { $0 != ", " }
            )
        }
    }

    /// The sources of the suites, by the suite's name.
    private func suites() throws -> [String: String] {
        let paths = files(below: "\(Project.root)/Tests").filter { $0.hasSuffix("Tests.swift") }
        let named = try paths.map { path in
            (
                (path as NSString).lastPathComponent.replacingOccurrences(of: ".swift", with: ""),
                try Project.text("Tests/\(path)")
            )
        }
        return Dictionary(named) { $0 + $1 }
    }

    @Test(arguments: [
        ("docs/security.md", 25), ("docs/faults.md", 30), ("docs/operations.md", 1),
        ("docs/decisions.md", 3), ("docs/on-disk-format.md", 1), ("docs/s3.md", 1), ("docs/tenants.md", 1),
        ("docs/codec-server.md", 1), ("docs/other-web-servers.md", 1), ("docs/without-systemd.md", 1),
    ])
    func `Every test that a document names exists`(document: String, atLeast count: Int) throws {
        let suites = try suites()
        let mentions = try mentions(in: document)
        for mention in mentions {
            let source = try #require(suites[mention.suite], "\(document): \(mention.suite)")
            for test in mention.tests {
                let isThere = source.contains("`\(test)`(")
                #expect(isThere, "\(document): \(mention.suite), \(test)")
            }
        }
        #expect(mentions.map { max(1, $0.tests.count) }.reduce(0, +) >= count, "\(document)")
    }

    @Test func `Every bug of another store has a row with a test`() throws {
        let rows = try Project.text("docs/faults.md").split(separator: "\n").filter { line in
            line.hasPrefix("| ") && line.dropFirst(2).first?.isNumber == true
        }
        #expect(rows.count == 12)
        for (index, row) in rows.enumerated() {
            let cells = row.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            try #require(cells.count == 3, "\(row)")
            #expect(cells[0] == "\(index + 1)")
            #expect(cells[2].contains("Tests`: \""), "\(row)")
        }
    }
}
