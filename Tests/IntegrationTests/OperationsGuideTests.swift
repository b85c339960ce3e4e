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

    /// The first words of a message's literal that the guide can quote. `nil` if there are none: the literal is a single
    /// word, or an operation such as "read folder …", to which the code adds the system's reason.
    private func quotable(_ literal: String) -> String? {
        let interpolation = #"\\\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"#
        return literal.replacingOccurrences(of: interpolation, with: "\n", options: .regularExpression)
            .replacingOccurrences(of: #"[:;,.] "#, with: "\n", options: .regularExpression)
            .components(separatedBy: "\n").map { $0.trimmingCharacters(in: CharacterSet(charactersIn: " :;,(")) }
            .first { $0.contains(" ") && !["open ", "read ", "write "].contains(where: $0.hasPrefix) }
    }

    @Test func `The guide explains every error of a store and every line of lps`() throws {
        let sources = files(below: "\(Project.root)/Sources").filter { path in
            path.hasSuffix(".swift") && ["lps/", "DiskStore/", "Storage/"].contains(where: path.hasPrefix)
        }
        let calls = "StoreError|CommandError|complain|warn|fail|failed|unusable|goingOn|naming"
        let literal = #""((?:\\\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)|[^"\\])*)""#
        let messages = try sources.flatMap {
            try matches(#"\b(?:(?:\#(calls))\(\s*(?:\.\w+,\s*)?|message =\s*)\#(literal)"#, in: "Sources/\($0)")
        }
        #expect(messages.count > 50)
        for message in messages {
            guard let words = quotable(message) else { continue }
            let isExplained = guide.contains(words)
            #expect(isExplained, "\(message): \(words)")
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
