import Encoding
import PayloadKey

extension StorePolicy {
    /// Reads a policy in the form of PHP-FPM's pool files: `[namespace]`, `key = value`, comments from `;` or `#`.
    ///
    /// Nothing is guessed: what is unknown, twice, or not as expected is an error, since a policy deletes.
    ///
    /// - Parameter file: what the file is called in an error.
    package init(parsing text: some Collection<UInt8>, file: String) throws(PolicyError) {
        self.init()
        var parser = PolicyParser(file: file)
        for line in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            try parser.take(line, into: &self)
        }
    }
}

/// Reads a policy line by line.
private struct PolicyParser {
    /// Whose rules a section has.
    enum Section: Hashable {
        case namespace(Namespace)
        case others
    }

    let file: String
    private var number = 0
    private var section: Section?
    private var sections: Set<Section> = []
    private var keys: Set<String> = []

    init(file: String) {
        self.file = file
    }

    mutating func take(_ bytes: some Collection<UInt8>, into policy: inout StorePolicy) throws(PolicyError) {
        number += 1
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw error("'\(printable(bytes))' is not UTF-8")
        }
        let line = trimmed(Substring(text).unicodeScalars)
        guard let first = line.first, !isComment(first) else { return }
        if first == "[" {
            try begin(line, in: &policy)
        } else {
            try set(line, in: &policy)
        }
    }

    /// `[name]`; a comment may follow.
    private mutating func begin(_ line: Scalars, in policy: inout StorePolicy) throws(PolicyError) {
        guard let end = line.firstIndex(of: "]"),
            case let rest = trimmed(line[line.index(after: end)...]), rest.first.map(isComment) ?? true
        else {
            throw error("'\(shown(line))' is no section, expected [namespace]")
        }
        let name = line[line.index(after: line.startIndex)..<end]
        let section = try self.section(named: name)
        guard sections.insert(section).inserted else { throw error("section [\(shown(name))] is there twice") }
        self.section = section
        keys = []
        // Also one that says nothing is a section of its own: [*] is not for its namespace.
        section.set(StorePolicy.Rules(), in: &policy)
    }

    private func section(named name: Scalars) throws(PolicyError) -> Section {
        if name.elementsEqual("*".unicodeScalars) { return .others }
        guard trimmed(name).elementsEqual(name) else {
            throw error("section [\(shown(name))] begins or ends with white space, expected %20 where it is meant")
        }
        guard let decoded = PercentEncoding.decodeStrictly(Substring(name).utf8) else {
            throw error("section [\(shown(name))] has a % without two hex digits, expected %25 where it is meant")
        }
        do {
            return .namespace(try Namespace(validating: decoded))
        } catch let reason {
            throw error("section [\(shown(name))] names no namespace: \(reason)")
        }
    }

    /// `key = value`; a comment may follow.
    private mutating func set(_ line: Scalars, in policy: inout StorePolicy) throws(PolicyError) {
        let content = line[..<(line.firstIndex(where: isComment) ?? line.endIndex)]
        guard let equals = content.firstIndex(of: "=") else {
            throw error("'\(shown(line))' is neither [namespace] nor key = value")
        }
        let key = String(Substring(trimmed(content[..<equals])))
        let value = String(Substring(trimmed(content[content.index(after: equals)...])))
        guard let section else { throw error("'\(printable(key.utf8))' stands before the first [namespace]") }
        var rules = section.rules(in: policy)
        switch key {
        case "retention": rules.retention = try age(value)
        case "quota": rules.quota = try size(value)
        default: throw error("key '\(printable(key.utf8))' is unknown, expected retention or quota")
        }
        guard keys.insert(key).inserted else { throw error("\(key) is there twice in its section") }
        section.set(rules, in: &policy)
    }

    private func age(_ value: String) throws(PolicyError) -> Age {
        guard let age = Age(parsing: value) else {
            throw error("retention is '\(printable(value.utf8))', expected an age like 45d, 36h, 90m or 30s")
        }
        return age
    }

    private func size(_ value: String) throws(PolicyError) -> UInt64 {
        guard let size = ByteSize.parse(value) else {
            throw error("quota is '\(printable(value.utf8))', expected a size like 1073741824, 512m or 500g")
        }
        return size
    }

    private func error(_ what: String) -> PolicyError {
        PolicyError("policy \(file), line \(number): \(what)")
    }
}

extension PolicyParser.Section {
    fileprivate func rules(in policy: StorePolicy) -> StorePolicy.Rules {
        switch self {
        case .namespace(let namespace): policy.namespaces[namespace] ?? StorePolicy.Rules()
        case .others: policy.others
        }
    }

    fileprivate func set(_ rules: StorePolicy.Rules, in policy: inout StorePolicy) {
        switch self {
        case .namespace(let namespace): policy.namespaces[namespace] = rules
        case .others: policy.others = rules
        }
    }
}

/// Compared scalar by scalar: a `Character` may hold a line break, or a sign with what is combined with it.
private typealias Scalars = Substring.UnicodeScalarView

private func isComment(_ scalar: Unicode.Scalar) -> Bool {
    scalar == ";" || scalar == "#"
}

private func trimmed(_ scalars: Scalars) -> Scalars {
    func isSpace(_ scalar: Unicode.Scalar) -> Bool { scalar == " " || scalar == "\t" || scalar == "\r" }
    guard let start = scalars.firstIndex(where: { !isSpace($0) }),
        let last = scalars.lastIndex(where: { !isSpace($0) })
    else { return scalars[scalars.endIndex...] }
    return scalars[start...last]
}

private func shown(_ scalars: Scalars) -> String {
    printable(Substring(scalars).utf8)
}
