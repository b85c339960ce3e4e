import Encoding
import Glibc
import System

/// A settings file, as systemd reads an EnvironmentFile (systemd.exec(5)): one `NAME=value` per line, with optional quotes;
/// lines that begin with `#` or `;` are comments.
package struct EnvironmentFile {
    private var values: [String: String] = [:]

    /// - Throws: ``SystemCallError`` when the file can't be read, or ``SettingsError``.
    package init(path: String) throws {
        try self.init(path: path, text: readFile(path, limit: SettingsLine.sizeLimit, to: "read configuration \(path)"))
    }

    /// - Throws: ``SettingsError``, which names the file, the line and the expected form.
    package init(path: String, text: some Collection<UInt8>) throws(SettingsError) {
        for line in try SettingsLine.lines(of: text, in: path) {
            guard let (name, quoted) = line.text.nameAndValue, !name.isEmpty,
                name.allSatisfy({ $0.isLetterOrDigit(or: "_") }), let value = Self.unquoted(quoted)
            else { throw line.error("'\(printable(line.text))', expected NAME=value") }
            values[String(decoding: name, as: UTF8.self)] = String(decoding: value, as: UTF8.self)
        }
    }

    /// Reads the file that `LPS_CONFIG` names. With `-` before its path it may be missing, as in systemd's `EnvironmentFile=`.
    ///
    /// - Throws: As ``init(path:)``.
    package init?(named setting: String) throws {
        let mayBeMissing = setting.hasPrefix("-")
        let path = mayBeMissing ? String(setting.dropFirst()) : setting
        guard !mayBeMissing || access(path, F_OK) == 0 else { return nil }
        try self.init(path: path)
    }

    /// The value of a setting; an empty one counts as absent.
    package subscript(name: String) -> String? {
        values[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The names of all settings, in no particular order.
    package var names: [String] { Array(values.keys) }

    /// Removes quotes; `nil` when a quote is not closed.
    private static func unquoted(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        guard let quote = text.first, quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else {
            return Array(text)
        }
        guard text.count >= 2, text.last == quote else { return nil }
        var inner = text.dropFirst().dropLast()
        guard quote == UInt8(ascii: "\"") else { return Array(inner) }
        // As in systemd's file, a backslash escapes a quote or another backslash.
        let backslash = UInt8(ascii: "\\")
        var value: [UInt8] = []
        while let byte = inner.popFirst() {
            guard byte == backslash else {
                value.append(byte)
                continue
            }
            guard let escaped = inner.popFirst() else { return nil }
            value += escaped == quote || escaped == backslash ? [escaped] : [backslash, escaped]
        }
        return value
    }
}
