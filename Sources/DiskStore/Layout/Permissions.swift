import Glibc

/// The permissions (chmod(2)) that a file of the store must have, and may have.
///
/// A stricter umask than usual, when the store was created, leaves permissions between the two.
struct Permissions: Equatable {
    var isFolder = false
    let required: mode_t
    let allowed: mode_t

    /// Operators may let others read the root, never change it.
    static let root = Permissions(isFolder: true, required: 0o700, allowed: 0o2755)
    /// A folder's set-group-ID bit only passes on its group.
    static let folder = Permissions(isFolder: true, required: 0o700, allowed: 0o2750)
    /// The store's own files.
    static let file = Permissions(required: 0o600, allowed: 0o640)
    /// Content and keys, which are never written again.
    static let content = Permissions(required: 0o400, allowed: 0o440)
    /// Damaged content, for operators to examine.
    static let quarantined = Permissions(required: 0o400, allowed: 0o640)

    /// Adds the permissions that the owner needs, and removes those that are not allowed.
    func mended(_ mode: mode_t) -> mode_t { mode & allowed | required }
}

extension mode_t {
    /// The mode as chmod(1) accepts it: `0750`.
    var octal: String {
        let digits = String(self, radix: 8)
        return String(repeating: "0", count: Swift.max(0, 4 - digits.count)) + digits
    }
}
