import Glibc

/// The permissions (chmod(2)) that something of the store must have, and the most that it may have.
///
/// Between the two lies what a stricter umask than the usual one leaves when the store is made.
struct Permissions: Equatable {
    var isFolder = false
    let required: mode_t
    let allowed: mode_t

    /// The root is the operator's: others may look into it where he lets them, never change it.
    static let root = Permissions(isFolder: true, required: 0o700, allowed: 0o2755)
    /// A folder's set-group-ID bit only hands its group on.
    static let folder = Permissions(isFolder: true, required: 0o700, allowed: 0o2750)
    /// What the store writes for itself.
    static let file = Permissions(required: 0o600, allowed: 0o640)
    /// Content and keys are never written again.
    static let content = Permissions(required: 0o400, allowed: 0o440)
    /// Whatever an operator needs who looks at damaged content.
    static let quarantined = Permissions(required: 0o400, allowed: 0o640)

    /// Gives the owner what he needs and takes from all what they may not have; gives nobody else anything.
    func mended(_ mode: mode_t) -> mode_t { mode & allowed | required }
}

extension mode_t {
    /// As chmod(1) takes it: `0750`.
    var octal: String {
        let digits = String(self, radix: 8)
        return String(repeating: "0", count: Swift.max(0, 4 - digits.count)) + digits
    }
}
