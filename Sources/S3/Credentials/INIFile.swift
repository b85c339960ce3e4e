import PayloadKey

/// A file of settings as the AWS tools read theirs: `[section]` and `name = value` lines, comments in lines of their own
/// or behind white space. What is deeper than a setting goes on with it: settings of its own, where it has no value (`s3 =`),
/// and otherwise what is left out.
struct INIFile {
    /// Names are in lower case; those of `s3 =` are named `s3.endpoint_url` and so on.
    typealias Settings = [String: [UInt8]]

    private(set) var sections: [[UInt8]: Settings] = [:]

    /// - Throws: ``CredentialsError`` that names the line, not what is in it: it may be a secret.
    init(_ text: [UInt8], path: String) throws {
        var section: [UInt8]?
        var setting: (name: String, indent: Int)?
        for (number, line) in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            func malformed(_ expected: String) -> CredentialsError {
                CredentialsError("\(path), line \(number + 1): expected \(expected)")
            }
            let indent = line.prefix(while: isBlank).count
            let content = Self.withoutComment(line)
            guard let first = content.first else { continue }
            if first == UInt8(ascii: "["), indent == 0 {
                guard content.last == UInt8(ascii: "]"), content.count > 2 else { throw malformed("[SECTION]") }
                let name = Array(trimmed(content.dropFirst().dropLast()))
                // A section may come in several pieces.
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

    /// The section `[KIND NAME]`, where the name may be in quotes.
    func section(_ kind: String, _ name: [UInt8]) -> Settings? {
        sections.first { section, _ in
            let rest = section.dropFirst(kind.utf8.count)
            guard section.starts(with: kind.utf8), rest.first.map(isBlank) == true else { return false }
            return Self.unquoted(trimmed(rest)).elementsEqual(name)
        }?.value
    }

    private static func unquoted(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        guard let quote = text.first, "\"'".utf8.contains(quote), text.last == quote, text.count >= 2 else {
            return text
        }
        return text.dropFirst().dropLast()
    }

    private static func setting(_ line: ArraySlice<UInt8>) -> (name: String, value: [UInt8])? {
        guard let equals = line.firstIndex(of: UInt8(ascii: "=")), equals > line.startIndex else { return nil }
        let name = String(decoding: trimmed(line[..<equals]), as: UTF8.self).lowercased()
        return (name, Array(trimmed(line[(equals + 1)...])))
    }

    private static func withoutComment(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var isBlankBefore = true
        let comment = line.firstIndex { byte in
            defer { isBlankBefore = isBlank(byte) }
            return isBlankBefore && "#;".utf8.contains(byte)
        }
        return trimmed(line[..<(comment ?? line.endIndex)])
    }
}

private func isBlank(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x09 || byte == 0x0D
}

private func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var text = text.drop(while: isBlank)
    while let last = text.last, isBlank(last) { text.removeLast() }
    return text
}
