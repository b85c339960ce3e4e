import TestSupport
import Testing

@testable import lps_worker

@Suite(.runLimit) struct ConfigurationGuideTests {
    /// The table's rows, from `--help`.
    private func rows() throws -> [String] {
        let settings = Dictionary(uniqueKeysWithValues: try Settings.parse([]).all.map { ($0.name, $0.setting) })
        // The text of a long option follows on the next line.
        let help = LPSWorker.helpMessage(columns: 1000).replacing(/\n {10,}/, with: " ")
        return help.matches(of: /(--[a-z-]+) <([a-z]+)> +(.+)/).compactMap { match in
            let (_, option, value, text) = match.output
            let variable = "LPS_" + option.dropFirst(2).uppercased().replacing("-", with: "_")
            guard let setting = settings[variable] else { return nil }
            let (meaning, fallback) = parted(text)
            let change = setting.isReloadable ? "reload" : "restart"
            return "| `\(option) \(value.uppercased())`<br>`\(variable)` | \(meaning) | \(fallback) | \(change) |"
        }
    }

    /// Splits an option's help into its text and the default at its end.
    private func parted(_ help: Substring) -> (meaning: Substring, fallback: Substring) {
        guard help.last == ")", let start = help.lastIndex(of: "(") else { return (help, "") }
        let note = help[start...].dropFirst().dropLast()
        return (help[..<start].dropLast(), note.hasPrefix("default: ") ? note.dropFirst("default: ".count) : note)
    }

    @Test func `docs/configuration.md lists every option with the text of --help`() throws {
        let rows = try rows()
        #expect(rows.count == (try Settings.parse([]).all.count))
        let table = ["| option, variable | meaning | default | a change needs a |", "| --- | --- | --- | --- |"] + rows
        let page = try Project.text("docs/configuration.md")
        let isThere = page.hasSuffix("\n" + table.joined(separator: "\n") + "\n")
        #expect(isThere, "docs/configuration.md must end with:\n\(table.joined(separator: "\n"))")
    }
}
