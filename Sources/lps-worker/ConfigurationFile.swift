import Glibc

/// A file of settings, as systemd reads an EnvironmentFile (systemd.exec(5)): a line for each, `LPS_NAME=value`, in
/// quotes or not; lines that begin with `#` or `;` are comments.
struct ConfigurationFile {
    /// Bytes that a file may have.
    private static let limit = 1 << 20

    private let values: [String: String]
    let path: String

    /// - Throws: ``ConfigurationError`` that names file, line and what is expected.
    init(path: String) throws(ConfigurationError) {
        try self.init(path: path, text: Self.read(path))
    }

    init(path: String, text: String) throws(ConfigurationError) {
        self.path = path
        var values: [String: String] = [:]
        for (number, line) in text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .enumerated()
        {
            let line = Self.trimmed(Substring(line))
            guard let first = line.first, first != "#", first != ";" else { continue }
            guard let equals = line.firstIndex(of: "="),
                let value = Self.unquoted(Self.trimmed(line[line.index(after: equals)...])),
                let name = Self.name(line[..<equals])
            else {
                throw ConfigurationError("\(path), line \(number + 1): '\(line)', expected NAME=value")
            }
            values[name] = value
        }
        self.values = values
    }

    /// A setting; an empty one counts as absent.
    subscript(name: String) -> String? {
        values[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The settings of a worker that are not among `known`: most likely misspelt.
    func unknown(_ known: Set<String>) -> [String] {
        // The timers of lps gc and lps scrub have theirs in the same file.
        values.keys.filter { name in
            name.hasPrefix("LPS_") && !known.contains(name) && !name.hasPrefix("LPS_GC_")
                && !name.hasPrefix("LPS_SCRUB_")
        }.sorted()
    }

    private static func name(_ text: Substring) -> String? {
        let name = trimmed(text)
        let isName = !name.isEmpty && name.utf8.allSatisfy { $0 == UInt8(ascii: "_") || isLetterOrDigit($0) }
        return isName ? String(name) : nil
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        let character = Character(UnicodeScalar(byte))
        return byte < 0x80 && (character.isLetter || character.isNumber)
    }

    /// `nil` when a quote is not closed.
    private static func unquoted(_ text: Substring) -> String? {
        guard let quote = text.first, quote == "\"" || quote == "'" else { return String(text) }
        guard text.count >= 2, text.last == quote else { return nil }
        let inner = text.dropFirst().dropLast()
        guard quote == "\"" else { return String(inner) }
        // As in systemd's file: a backslash takes the meaning from a quote or another backslash.
        var value = ""
        var isEscaped = false
        for character in inner {
            if isEscaped || character != "\\" {
                if isEscaped, character != "\"", character != "\\" { value.append("\\") }
                value.append(character)
                isEscaped = false
            } else {
                isEscaped = true
            }
        }
        return isEscaped ? nil : value
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while let first = text.first, isBlank(first) { text.removeFirst() }
        while let last = text.last, isBlank(last) { text.removeLast() }
        return text
    }

    private static func isBlank(_ character: Character) -> Bool {
        character == " " || character == "\t" || character == "\r"
    }

    private static func read(_ path: String) throws(ConfigurationError) -> String {
        let action = "read configuration \(path)"
        let file = uninterrupted { open(path, O_RDONLY | O_CLOEXEC) }
        guard file >= 0 else { throw .system(action) }
        defer { close(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = uninterrupted { Glibc.read(file, &buffer, buffer.count) }
            guard count >= 0 else { throw .system(action) }
            if count == 0 { break }
            bytes += buffer[..<count]
            guard bytes.count <= limit else { throw ConfigurationError("\(action): it has over \(limit) bytes") }
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ConfigurationError("\(action): it is not UTF-8")
        }
        return text
    }
}
