import PayloadKey

/// A file of settings as the AWS tools read theirs: `[section]` and `name = value` lines, comments in lines of their own
/// or behind white space. What is deeper than a setting goes on with it: settings of its own, where it has no value (`s3 =`),
/// and otherwise what is left out.
struct INIFile {
    /// The settings of each section. Names of settings are in lower case; those of `s3 =` are named `s3.endpoint_url` and so
    /// on.
    private(set) var sections: [[UInt8]: [String: [UInt8]]] = [:]

    /// - Throws: ``CredentialsError`` that names the line, not what is in it: it may be a secret.
    init(_ text: [UInt8], path: String) throws(CredentialsError) {
        var section: [UInt8]?
        var setting: (name: String, indent: Int)?
        for (number, line) in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            let indent = line.prefix(while: isBlank).count
            let content = Self.withoutComment(line)
            guard let first = content.first else { continue }
            if first == UInt8(ascii: "[") && indent == 0 {
                guard content.last == UInt8(ascii: "]"), content.count > 2 else {
                    throw Self.error(path, number, "[SECTION]")
                }
                let name = Array(Self.trimmed(content.dropFirst().dropLast()))
                // A section may come in several pieces.
                sections[name, default: [:]].merge([:]) { $1 }
                section = name
                setting = nil
            } else if let section, let setting, indent > setting.indent {
                guard sections[section]?[setting.name]?.isEmpty == true, let (name, value) = Self.setting(content)
                else { continue }
                sections[section]?["\(setting.name).\(name)"] = value
            } else {
                guard let section else { throw Self.error(path, number, "a [SECTION] before it") }
                guard let (name, value) = Self.setting(content) else {
                    throw Self.error(path, number, "NAME = VALUE")
                }
                sections[section]?[name] = value
                setting = (name, indent)
            }
        }
    }

    private static func setting(_ line: ArraySlice<UInt8>) -> (name: String, value: [UInt8])? {
        guard let equals = line.firstIndex(of: UInt8(ascii: "=")), equals > line.startIndex else { return nil }
        let name = String(decoding: trimmed(line[..<equals]), as: UTF8.self).lowercased()
        return (name, Array(trimmed(line[(equals + 1)...])))
    }

    private static func withoutComment(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var isBlankBefore = true
        for (index, byte) in zip(line.indices, line) {
            if isBlankBefore, byte == UInt8(ascii: "#") || byte == UInt8(ascii: ";") { return trimmed(line[..<index]) }
            isBlankBefore = isBlank(byte)
        }
        return trimmed(line)
    }

    private static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var text = text
        while let first = text.first, isBlank(first) { text.removeFirst() }
        while let last = text.last, isBlank(last) { text.removeLast() }
        return text
    }

    private static func error(_ path: String, _ number: Int, _ expected: String) -> CredentialsError {
        CredentialsError("\(path), line \(number + 1): expected \(expected)")
    }
}

private func isBlank(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x09 || byte == 0x0D
}
