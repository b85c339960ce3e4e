/// A line of a settings file, without surrounding white space.
package struct SettingsLine {
    /// The line's text: UTF-8, neither empty nor a comment.
    package let text: ArraySlice<UInt8>
    /// The file and line number, for errors.
    private let place: String

    /// Splits a file into lines, omitting blank lines and comments, which begin with `#` or `;`.
    ///
    /// - Parameter file: the file's name in errors.
    /// - Throws: ``SettingsError`` if the text is larger than 1 MiB, or a line is not UTF-8.
    package static func lines(of text: some Collection<UInt8>, in file: String) throws(SettingsError) -> [SettingsLine]
    {
        guard text.count <= sizeLimit else { throw SettingsError("\(file) has over \(sizeLimit) bytes") }
        var lines: [SettingsLine] = []
        let all = Array(text).split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, bytes) in all.enumerated() {
            let line = SettingsLine(text: bytes.trimmed(), place: "\(file), line \(index + 1)")
            guard String(validating: bytes, as: UTF8.self) != nil else {
                throw line.error("'\(printable(bytes))' is not UTF-8")
            }
            if let first = line.text.first, !first.beginsComment { lines.append(line) }
        }
        return lines
    }

    /// The maximum bytes of a file: enough for thousands of settings.
    package static let sizeLimit = 1 << 20

    /// Makes an error that names the file and this line.
    package func error(_ what: String) -> SettingsError {
        SettingsError("\(place): \(what)")
    }
}

extension UInt8 {
    /// Whether the byte is `#` or `;`, which begin comments.
    package var beginsComment: Bool { self == UInt8(ascii: "#") || self == UInt8(ascii: ";") }
}

extension ArraySlice<UInt8> {
    /// The two sides of the first `=`, without surrounding white space; `nil` if there is no `=`.
    package var nameAndValue: (name: ArraySlice<UInt8>, value: ArraySlice<UInt8>)? {
        firstIndex(of: UInt8(ascii: "=")).map { (self[..<$0].trimmed(), self[($0 + 1)...].trimmed()) }
    }
}

/// A settings file can't be used. The description is one line with the file, the line, the value and the expected form.
package struct SettingsError: Error, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}
