import Encoding

/// A settings file in the syntax of the AWS tools: `[section]` and `name = value` lines, and comments on their own
/// lines or after white space. A line indented deeper than a setting continues it: with nested settings if the setting
/// has no value (`s3 =`), otherwise with text that is ignored.
struct INIFile {
    /// Names are in lower case. Nested settings are named `s3.endpoint_url` and so on.
    typealias Settings = [String: [UInt8]]

    /// The sections by name. After a kind, names have one space and no quotes (`profile tests`).
    private(set) var sections: [[UInt8]: Settings] = [:]

    /// - Throws: ``CredentialsError``, which names the line but not its content, which may be a secret.
    init(_ text: [UInt8], path: String) throws {
        var section: [UInt8]?
        var setting: (name: String, indent: Int)?
        for (number, line) in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            func malformed(_ expected: String) -> CredentialsError {
                CredentialsError("\(path), line \(number + 1): expected \(expected)")
            }
            let indent = line.prefix { $0.isBlank }.count
            let content = Self.withoutComment(line)
            guard let first = content.first else { continue }
            if first == UInt8(ascii: "["), indent == 0 {
                guard content.last == UInt8(ascii: "]"), content.count > 2 else { throw malformed("[SECTION]") }
                let name = Self.sectionName(content.dropFirst().dropLast().trimmed())
                // A section may appear more than once.
                sections[name] = sections[name] ?? [:]
                section = name
                setting = nil
                continue
            }
            guard let section else { throw malformed("a [SECTION] before it") }
            if let setting, indent > setting.indent {
                guard sections[section]?[setting.name]?.isEmpty == true, let (name, value) = Self.setting(content)
                else { continue }
                sections[section]?["\(setting.name).\(name)"] = value
            } else {
                guard let (name, value) = Self.setting(content) else { throw malformed("NAME = VALUE") }
                sections[section]?[name] = value
                setting = (name, indent)
            }
        }
    }

    private static func sectionName(_ text: ArraySlice<UInt8>) -> [UInt8] {
        let kind = text.prefix { !$0.isBlank }
        var name = text[kind.endIndex...].trimmed()
        if name.isEmpty { return Array(text) }
        if let quote = name.first, "\"'".utf8.contains(quote), name.last == quote, name.count >= 2 {
            name = name.dropFirst().dropLast()
        }
        return kind + [UInt8(ascii: " ")] + name
    }

    private static func setting(_ line: ArraySlice<UInt8>) -> (name: String, value: [UInt8])? {
        guard line.first != UInt8(ascii: "="), let (name, value) = line.nameAndValue else { return nil }
        return (String(decoding: name, as: UTF8.self).lowercased(), Array(value))
    }

    private static func withoutComment(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var isBlankBefore = true
        let comment = line.firstIndex { byte in
            defer { isBlankBefore = byte.isBlank }
            return isBlankBefore && byte.beginsComment
        }
        return line[..<(comment ?? line.endIndex)].trimmed()
    }
}
