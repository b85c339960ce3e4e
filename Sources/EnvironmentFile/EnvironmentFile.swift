import Encoding
import Glibc
import System
import SystemPackage

/// A file of settings, as systemd reads an EnvironmentFile (systemd.exec(5)): a line for each, `NAME=value`, in quotes or
/// not; lines that begin with `#` or `;` are comments.
package struct EnvironmentFile {
    /// Bytes that a file may have.
    private static let limit = 1 << 20

    /// Not characters: with a combining mark behind it, a quote is another one.
    private typealias Scalars = Substring.UnicodeScalarView

    private let values: [String: String]

    /// - Throws: ``EnvironmentFileError`` that names file, line and what is expected.
    package init(path: String) throws(EnvironmentFileError) {
        try self.init(path: path, text: Self.read(path))
    }

    package init(path: String, text: String) throws(EnvironmentFileError) {
        var values: [String: String] = [:]
        for (number, line) in text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .enumerated()
        {
            let line = Self.trimmed(Substring(line).unicodeScalars)
            guard let first = line.first, first != "#", first != ";" else { continue }
            guard let equals = line.firstIndex(of: "="),
                let value = Self.unquoted(Self.trimmed(line[line.index(after: equals)...])),
                let name = Self.name(line[..<equals])
            else {
                throw EnvironmentFileError(
                    "\(path), line \(number + 1): '\(printable(Array(String(line).utf8)))', expected NAME=value"
                )
            }
            values[name] = value
        }
        self.values = values
    }

    /// The file that `LPS_CONFIG` names: with `-` before its path it may be missing, as in systemd's `EnvironmentFile=`.
    ///
    /// - Throws: as ``init(path:)``.
    package init?(named setting: String) throws(EnvironmentFileError) {
        let mayBeMissing = setting.hasPrefix("-")
        let path = mayBeMissing ? String(setting.dropFirst()) : setting
        guard !mayBeMissing || access(path, F_OK) == 0 else { return nil }
        try self.init(path: path)
    }

    /// A setting; an empty one counts as absent.
    package subscript(name: String) -> String? {
        values[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The names of all settings, in no order.
    package var names: [String] { Array(values.keys) }

    private static func name(_ text: Scalars) -> String? {
        let name = trimmed(text)
        let isName = !name.isEmpty && name.allSatisfy { $0 == "_" || isLetterOrDigit($0) }
        return isName ? String(name) : nil
    }

    private static func isLetterOrDigit(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
    }

    /// `nil` when a quote is not closed.
    private static func unquoted(_ text: Scalars) -> String? {
        guard let quote = text.first, quote == "\"" || quote == "'" else { return String(text) }
        guard text.count >= 2, text.last == quote else { return nil }
        let inner = text.dropFirst().dropLast()
        guard quote == "\"" else { return String(inner) }
        // As in systemd's file: a backslash takes the meaning from a quote or another backslash.
        var value = String.UnicodeScalarView()
        var isEscaped = false
        for scalar in inner {
            if isEscaped || scalar != "\\" {
                if isEscaped, scalar != "\"", scalar != "\\" { value.append("\\") }
                value.append(scalar)
                isEscaped = false
            } else {
                isEscaped = true
            }
        }
        return isEscaped ? nil : String(value)
    }

    private static func trimmed(_ text: Scalars) -> Scalars {
        var text = text
        while let first = text.first, isBlank(first) { text.removeFirst() }
        while let last = text.last, isBlank(last) { text.removeLast() }
        return text
    }

    private static func isBlank(_ scalar: Unicode.Scalar) -> Bool {
        scalar == " " || scalar == "\t" || scalar == "\r"
    }

    private static func read(_ path: String) throws(EnvironmentFileError) -> String {
        let action = "read configuration \(path)"
        let bytes: [UInt8]
        do {
            bytes = try readFile(path, limit: limit)
        } catch {
            throw EnvironmentFileError("\(action): \(error)", errno: error as? Errno)
        }
        guard bytes.count <= limit else { throw EnvironmentFileError("\(action): it has over \(limit) bytes") }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw EnvironmentFileError("\(action): it is not UTF-8")
        }
        return text
    }
}

/// Why a file of settings can't be used, in one line.
package struct EnvironmentFileError: Error, Equatable, CustomStringConvertible {
    package let description: String
    /// The failure of the system call, where one failed.
    package let errno: Errno?

    init(_ description: String, errno: Errno? = nil) {
        self.description = description
        self.errno = errno
    }
}
