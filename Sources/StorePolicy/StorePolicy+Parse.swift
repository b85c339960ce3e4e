import Encoding
import PayloadKey
import System

extension StorePolicy {
    /// Reads a policy's file.
    ///
    /// - Throws: ``SystemCallError`` when the file can't be read, or ``SettingsError``.
    package init(contentsOfFile path: String) throws {
        try self.init(parsing: readFile(path, limit: SettingsLine.sizeLimit, to: "read policy \(path)"), file: path)
    }

    /// Reads a policy in the form of PHP-FPM's pool files: `[namespace]`, `key = value`, comments from `;` or `#`.
    ///
    /// Nothing is guessed: what is unknown, twice, or not as expected is an error, since a policy deletes.
    ///
    /// - Parameter file: what the file is called in an error.
    package init(parsing text: some Collection<UInt8>, file: String) throws(SettingsError) {
        self.init()
        // `nil` stands for [*].
        var sections: Set<Namespace?> = []
        var section: Namespace?
        var keys: Set<String> = []
        for line in try SettingsLine.lines(of: text, in: "policy \(file)") {
            if line.text.first == UInt8(ascii: "[") {
                let (name, next) = try Self.section(line)
                guard sections.insert(next).inserted else { throw line.error("section [\(name)] is there twice") }
                section = next
                keys = []
                // Also one that says nothing is a section of its own: [*] is not for its namespace.
                change(next) { $0 = Rules() }
            } else {
                let key = try set(line, in: section, isFirst: sections.isEmpty)
                guard keys.insert(key).inserted else { throw line.error("\(key) is there twice in its section") }
            }
        }
    }

    /// Takes `key = value`; a comment may follow.
    ///
    /// - Returns: the key.
    private mutating func set(
        _ line: SettingsLine,
        in section: Namespace?,
        isFirst: Bool
    ) throws(SettingsError) -> String {
        guard let (name, text) = line.text.prefix(while: { !$0.beginsComment }).nameAndValue else {
            throw line.error("'\(printable(line.text))' is neither [namespace] nor key = value")
        }
        if isFirst { throw line.error("'\(printable(name))' stands before the first [namespace]") }
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

    /// Reads `[name]`; a comment may follow.
    ///
    /// - Returns: also the name, for errors; no namespace stands for all others.
    private static func section(_ line: SettingsLine) throws(SettingsError) -> (name: String, section: Namespace?) {
        guard let end = line.text.firstIndex(of: UInt8(ascii: "]")),
            line.text[(end + 1)...].trimmed().first?.beginsComment ?? true
        else { throw line.error("'\(printable(line.text))' is no section, expected [namespace]") }
        let name = line.text[..<end].dropFirst()
        let shown = printable(name)
        if name.elementsEqual("*".utf8) { return (shown, nil) }
        guard name.trimmed() == name else {
            throw line.error("section [\(shown)] begins or ends with white space, expected %20 where it is meant")
        }
        guard let decoded = PercentEncoding.decodeStrictly(name) else {
            throw line.error("section [\(shown)] has a % without two hex digits, expected %25 where it is meant")
        }
        do {
            return (shown, try Namespace(validating: decoded))
        } catch {
            throw line.error("section [\(shown)] names no namespace: \(error)")
        }
    }
}
