import Encoding
import Storage

extension Finding {
    /// The finding as text: one line, and for damaged content one more for each key that lost it or has it in the trash.
    var line: String {
        // A stray file's name can contain any bytes.
        let fact = "\(printable(path.utf8)) \(reason)"
        let lost = damage?.keys.map { "\n  lost: \($0)" }.joined() ?? ""
        let trashed = damage?.trashed.map { "\n  damaged in the trash: \($0)" }.joined() ?? ""
        return switch remedy {
        case .none: "\(kind.text): \(fact)\(trashed)"
        case .mended(let how): "\(kind.text): \(fact); \(how)\(lost)\(trashed)"
        case .failed(let error): "\(kind.text): \(fact); can't be repaired: \(error)"
        }
    }
}

extension Finding.Kind {
    /// The kind as words: `unreferencedContent` becomes "unreferenced content".
    fileprivate var text: String { rawValue.map { $0.isUppercase ? " \($0.lowercased())" : "\($0)" }.joined() }
}

struct FindingRow: Encodable {
    let kind: String
    let path: String
    let reason: String
    /// Whether the scrub repaired it; for damaged content, whether it is in quarantine.
    let mended: Bool
    /// How the scrub repaired it, or why it could not.
    let remedy: String?
    let digest: String?
    let quarantine: String?
    let keys: [String]?
    let trashed: [String]?

    init(_ finding: Finding) {
        kind = finding.kind.rawValue
        path = finding.path
        reason = finding.reason
        switch finding.remedy {
        case .none: (mended, remedy) = (false, nil)
        case .mended(let how): (mended, remedy) = (true, how)
        case .failed(let error): (mended, remedy) = (false, "\(error)")
        }
        digest = finding.damage.map { "\($0.digest)" }
        quarantine = finding.damage?.quarantine
        keys = finding.damage?.keys.map(\.description)
        trashed = finding.damage?.trashed.map(\.description)
    }
}
