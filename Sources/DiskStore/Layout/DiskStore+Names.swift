import Glibc
import Storage
import System

extension DiskStore {
    /// Checks that `keys/` keeps each name as given: namespaces that differ in case, in Unicode normalization or in a
    /// trailing dot are different namespaces.
    ///
    /// Single folders of a file system may fold names (`chattr +F` on ext4), so this tries it: it creates a file with a
    /// name that no namespace can have, looks for it under names that such file systems treat as the same, and deletes
    /// it. Any number of processes may do so at once. A later start deletes what a killed process leaves, and
    /// everything else ignores it.
    ///
    /// - Throws: ``StoreError`` with code `unsupportedFileSystem` that says how names are changed, or with the code of
    ///   another failure.
    static func checkNames(of root: Descriptor, _ path: String) throws {
        let probe = NameProbe(root.kernel)
        let file = "\(StoreLayout.keys)/\(probe.name)"
        do {
            _ = try root.open(file, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
        } catch let error as StoreError {
            switch error.errno {
            case .fileNameTooLong:
                throw unsupported(path, "it rejects names of \(NameProbe.longest) bytes", error.errno)
            case .invalidArgument, .illegalByteSequence:
                throw unsupported(path, "it rejects names with one of \(NameProbe.special)é", error.errno)
            default:
                throw error
            }
        }
        // If this fails, a later start deletes the file.
        defer { _ = try? root.unlink(file) }
        for (name, difference) in probe.others where try root.status(of: "\(StoreLayout.keys)/\(name)") != nil {
            let reason = "two names that differ only in \(difference) are the same file"
            throw unsupported(path, "in \(StoreLayout.keys)/, \(reason)")
        }
    }
}

/// A file name of the maximum length, with characters that file systems change or reject.
struct NameProbe {
    /// The longest name on Linux's own file systems, in bytes (limits.h, `NAME_MAX`).
    static let longest = 255
    /// Characters that file systems of other operating systems reject.
    static let special = ":*?\"<>|\\"

    /// The name of the probe file.
    let name: String
    /// Names under which the file must not be found, and how they differ.
    let others: [(name: String, difference: String)]

    init(_ kernel: any Kernel) {
        let start = "\(StoreLayout.probePrefix)\(kernel.processID)-\(String(kernel.random(), radix: 36))-"
        // é as two characters, e and a combining accent, and as one, which is one byte shorter.
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
