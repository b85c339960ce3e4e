import Glibc
import PayloadKey

/// The keys that lost their content to quarantine: `quarantine/<digest>.keys`, with the path of each key's file in a
/// line. The next upload of that content gives them all theirs again.
///
/// Written under the shard's exclusive lock, read under the shared one.
struct LostKeys {
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
        try root.open(StoreLayout.quarantine, O_RDONLY | O_DIRECTORY).synchronize(StoreLayout.quarantine)
    }

    /// The paths of the keys' files; none when nothing was lost. What does not name a key of this content is passed
    /// over.
    func paths() throws -> [String] {
        // No more than a look, for each upload.
        guard let status = try root.status(of: path) else { return [] }
        let file = FileContent(size: status.size, name: path, descriptor: try root.open(path, O_RDONLY))
        var bytes: [UInt8] = []
        try file.read(0..<file.size) { bytes += Array($0) }
        let lines = bytes.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
        return Set(lines).filter { line in
            let parts = line.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
            return parts.count >= 5 && parts[0] == StoreLayout.keys && parts[parts.count - 2] == digest.shard
                && StoreLayout.keyName(parsing: parts[parts.count - 1])?.digest == digest
                && !parts.contains { $0.isEmpty || $0 == "." || $0 == ".." }
        }.sorted()
    }

    /// Forgets them: all have their content again.
    func remove() throws(StoreError) {
        _ = try systemCall("unlink \(path)", expecting: .noSuchFileOrDirectory) { unlinkat(root.rawValue, path, 0) }
    }
}
