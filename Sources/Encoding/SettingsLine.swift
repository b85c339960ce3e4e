/// A line of a settings file, without the white space around it.
package struct SettingsLine {
    /// UTF-8, not empty and no comment.
    package let text: ArraySlice<UInt8>
    /// The file and the line's number, for errors.
    private let place: String

    /// The lines of a file that say something: blank ones, and comments that begin with `#` or `;`, are left out.
    ///
    /// - Parameter file: what the file is called in an error.
    /// - Throws: ``SettingsError`` when the text has over 1 MiB, or a line is not UTF-8.
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

    /// Bytes that a file may have: enough for thousands of settings.
    package static let sizeLimit = 1 << 20

    /// An error of this line.
    package func error(_ what: String) -> SettingsError {
        SettingsError("\(place): \(what)")
    }
}

extension UInt8 {
    /// Whether it is `#` or `;`.
    package var beginsComment: Bool { self == UInt8(ascii: "#") || self == UInt8(ascii: ";") }
}

extension ArraySlice<UInt8> {
    /// The two sides of the first `=`, without the white space around them; `nil` when there is none.
    package var nameAndValue: (name: ArraySlice<UInt8>, value: ArraySlice<UInt8>)? {
        firstIndex(of: UInt8(ascii: "=")).map { (self[..<$0].trimmed(), self[($0 + 1)...].trimmed()) }
    }
}

/// Why a settings file can't be used: file, line, value and what was expected, in one line.
package struct SettingsError: Error, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}
