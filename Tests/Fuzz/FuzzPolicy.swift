import Encoding
import StorePolicy

/// Tests policies: namespaces are valid, and an error is one line that names the file.
func fuzzPolicy(_ text: [UInt8]) {
    do {
        let policy = try StorePolicy(parsing: text, file: "policy.conf")
        policy.namespaces.keys.forEach(checkNamespace)
        for rules in policy.allRules {
            guard let age = rules.retention else { continue }
            precondition(age.seconds >= 0 && Age(parsing: age.text) == age)
        }
    } catch {
        precondition("\(error)".utf8.starts(with: "policy policy.conf, line ".utf8))
        precondition(!"\(error)".utf8.contains { $0 < 0x20 })
    }
}
