import Encoding
import PayloadKey
import System

extension StorePolicy {
    /// Reads a policy file.
    ///
    /// - Throws: ``SystemCallError`` when the file can't be read, or ``SettingsError``.
    package init(contentsOfFile path: String) throws {
        try self.init(parsing: readFile(path, limit: SettingsLine.sizeLimit, to: "read policy \(path)"), file: path)
    }

    /// Parses a policy in the format of PHP-FPM's pool files: `[namespace]`, `key = value`, comments from `;` or `#`.
    ///
    /// Unknown, duplicate and malformed lines are errors, because a policy deletes payloads.
    ///
    /// - Parameter file: The file's name, for errors.
    package init(parsing text: some Collection<UInt8>, file: String) throws(SettingsError) {
        self.init()
        // `nil` stands for [*].
        var sections: Set<Namespace?> = []
        var section: Namespace?
        var keys: Set<String> = []
        for line in try SettingsLine.lines(of: text, in: "policy \(file)") {
            if line.text.first == UInt8(ascii: "[") {
                let (name, next) = try Self.section(line)
                guard sections.insert(next).inserted else { throw line.error("section [\(name)] is repeated") }
                section = next
                keys = []
                // An empty section counts, too: [*] does not apply to its namespace.
                change(next) { $0 = Rules() }
            } else {
                let key = try set(line, in: section, isFirst: sections.isEmpty)
                guard keys.insert(key).inserted else { throw line.error("\(key) is repeated in its section") }
            }
        }
    }

    /// Parses `key = value`, with an optional comment, and applies it.
    ///
    /// - Returns: The key.
    private mutating func set(
        _ line: SettingsLine,
        in section: Namespace?,
        isFirst: Bool
    ) throws(SettingsError) -> String {
        guard let (name, text) = line.text.prefix(while: { !$0.beginsComment }).nameAndValue else {
            throw line.error("'\(printable(line.text))' is invalid, expected [namespace] or key = value")
        }
        if isFirst { throw line.error("'\(printable(name))' comes before the first [namespace]") }
        let value = String(decoding: text, as: UTF8.self)
        switch String(decoding: name, as: UTF8.self) {
        case "retention":
            guard let age = Age(parsing: value) else {
                throw line.error("retention is '\(printable(text))', expected an age like 45d, 36h, 90m or 30s")
            }
            change(section) { $0.retention = age }
            return "retention"
        case "quota":
            guard let size = ByteSize.parse(value) else {
                throw line.error("quota is '\(printable(text))', expected a size like 1073741824, 512m or 500g")
            }
            change(section) { $0.quota = size }
            return "quota"
        default:
            throw line.error("key '\(printable(name))' is unknown, expected retention or quota")
        }
    }

    private mutating func change(_ section: Namespace?, _ change: (inout Rules) -> Void) {
        if let section { change(&namespaces[section, default: Rules()]) } else { change(&others) }
    }

    /// Parses `[name]`, with an optional comment.
    ///
    /// - Returns: The name, for errors, and the namespace; `nil` for `[*]`.
    private static func section(_ line: SettingsLine) throws(SettingsError) -> (name: String, section: Namespace?) {
        guard let end = line.text.firstIndex(of: UInt8(ascii: "]")),
            line.text[(end + 1)...].trimmed().first?.beginsComment ?? true
        else { throw line.error("'\(printable(line.text))' is not a section, expected [namespace]") }
        let name = line.text[..<end].dropFirst()
        let shown = printable(name)
        if name.equals("*") { return (shown, nil) }
        guard name.trimmed() == name else {
            throw line.error("section [\(shown)] begins or ends with white space, write %20 for a space")
        }
        guard let decoded = PercentEncoding.decodeStrictly(name) else {
            throw line.error("section [\(shown)] has a % without two hex digits, write %25 for a %")
        }
        do {
            return (shown, try Namespace(validating: decoded))
        } catch {
            throw line.error("section [\(shown)] is not a valid namespace: \(error)")
        }
    }
}
