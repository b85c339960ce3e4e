import Glibc
import Storage
import System

extension DiskStore {
    /// Makes sure that `keys/` keeps every name as it is given: namespaces that differ in case, in Unicode's normalization or
    /// in a dot at their end are different ones.
    ///
    /// A folder may fold names though others of its file system do not (`chattr +F` on ext4), so this is tried. It makes a file
    /// with a name that no namespace can have, looks for it under names that mean the same to such file systems, and removes
    /// it. Any number of processes may do so at once. What a kill leaves is passed over, and removed by a later start.
    ///
    /// - Throws: ``StoreError`` with code `unsupportedFileSystem` that says what happens to names, or with that of another
    ///   failure.
    static func checkNames(of root: Descriptor, _ path: String) throws {
        let probe = NameProbe(root.kernel)
        let file = "\(StoreLayout.keys)/\(probe.name)"
        do {
            _ = try root.open(file, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
        } catch let error as StoreError {
            switch error.errno {
            case .fileNameTooLong:
                throw unsupported(path, "it takes no names of \(NameProbe.longest) bytes", error.errno)
            case .invalidArgument, .illegalByteSequence:
                throw unsupported(path, "it takes no names with one of \(NameProbe.special)é", error.errno)
            default:
                throw error
            }
        }
        // What can't be removed now is removed by a later start.
        defer { _ = try? root.unlink(file) }
        for (name, difference) in probe.others where try root.status(of: "\(StoreLayout.keys)/\(name)") != nil {
            throw unsupported(path, "in \(StoreLayout.keys)/, two names that differ only in \(difference) are one file")
        }
    }
}

/// A file's name that has what file systems change or refuse, and is as long as any.
struct NameProbe {
    /// Bytes that a name may have on Linux's own file systems (limits.h, `NAME_MAX`).
    static let longest = 255
    /// What other systems' file systems refuse.
    static let special = ":*?\"<>|\\"

    /// The name of the file that is made.
    let name: String
    /// Names that the file must not be found under, and what they differ in.
    let others: [(name: String, difference: String)]

    init(_ kernel: any Kernel) {
        let start = "\(StoreLayout.probePrefix)\(kernel.processID)-\(String(kernel.random(), radix: 36))-"
        // é as two characters, e and what is combined with it, and as one, which is a byte less.
        let (decomposed, composed) = ("e\u{301}", "\u{E9}")
        let end = ". "
        let count = Self.longest - [start, Self.special, decomposed, end].map(\.utf8.count).reduce(0, +)
        let letters = String(repeating: "aB", count: count / 2) + String(repeating: "x", count: count % 2)
        name = start + Self.special + decomposed + letters + end
        others = [
            (start + Self.special + decomposed + letters.lowercased() + end, "case"),
            (start + Self.special + composed + letters + end, "Unicode normalization"),
            (start + Self.special + decomposed + letters, "a dot or a space at the end"),
        ]
    }
}
