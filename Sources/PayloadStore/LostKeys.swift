import Glibc
import PayloadKey

/// The keys that lost their content to quarantine: `quarantine/<digest>.keys`, with the path of each key's file in a
/// line. The next upload of that content gives them all theirs again.
///
/// Written under the shard's exclusive lock, read under the shared one.
struct LostKeys {
    /// What a list has.
    struct Content {
        /// Each once.
        var keys: Set<PayloadKey> = []
        /// The lines that name no key of this content, as one that a crash has cut off.
        var unknown: [[UInt8]] = []

        var isEmpty: Bool { keys.isEmpty && unknown.isEmpty }
    }

    private let digest: Digest
    private let root: Descriptor
    private let path: String

    init(_ digest: Digest, _ root: Descriptor) {
        self.digest = digest
        self.root = root
        path = StoreLayout.quarantined(digest, "keys")
    }

    /// Puts a key down, on disk when this returns.
    func add(_ key: String) throws(StoreError) {
        let file = try root.open(path, O_WRONLY | O_APPEND | O_CREAT, mode: 0o640)
        // A line that a crash has cut off ends here.
        try file.write(Array("\n\(key)\n".utf8), path)
        try file.synchronize(path)
        try root.synchronizeFolder(StoreLayout.quarantine)
    }

    /// What was put down; nothing when nothing was lost.
    func read() throws -> Content {
        // No more than a look, for each upload.
        guard let status = try root.status(of: path) else { return Content() }
        let file = FileContent(size: status.size, name: path, descriptor: try root.open(path, O_RDONLY))
        var bytes: [UInt8] = []
        try file.read(0..<file.size) { bytes += Array($0) }
        var content = Content()
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            if let key = StoreLayout.key(at: line), key.digest == digest {
                content.keys.insert(key)
            } else {
                content.unknown.append(Array(line))
            }
        }
        return content
    }

    /// Forgets them: all have their content again.
    func remove() throws(StoreError) {
        _ = try systemCall("unlink \(path)", expecting: .noSuchFileOrDirectory) { unlinkat(root.rawValue, path, 0) }
    }

    /// Keeps the list under another name, for who wants to know what its lines may have meant.
    ///
    /// - Returns: where it is.
    func setAside() throws(StoreError) -> String {
        let target = StoreLayout.quarantined(digest, "unknown-keys-\(IncomingFile.uniqueName())")
        // Another upload may do the same.
        _ = try systemCall("move \(path) to \(target)", expecting: .noSuchFileOrDirectory) {
            renameat(root.rawValue, path, root.rawValue, target)
        }
        return target
    }
}
