import Glibc
import SystemPackage

extension PayloadStore {
    /// Makes an empty store at `path`, which must not exist or be an empty folder (or file system); folders get mode
    /// 0750.
    ///
    /// `layout.json` is written last: a folder that has it has everything else.
    ///
    /// - Throws: ``StoreError`` naming the folder or file that could not be made; a store or other content that is
    ///   already there stays untouched.
    public static func create(at path: String) throws(StoreError) {
        _ = try systemCall("make folder \(path)", expecting: .fileExists) { mkdir(path, 0o750) }
        let root = Descriptor(
            try systemCall("open folder \(path)") { Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        )
        let entries = try root.entries(".")
        let present = entries.names.filter { $0 != StoreLayout.lostAndFound } + entries.notUTF8
        guard present.isEmpty else {
            throw StoreError(.system, "\(path) is not empty: it has '\(present[0])'")
        }
        for folder in StoreLayout.folders {
            try systemCall("make folder \(path)/\(folder)") { mkdirat(root.rawValue, folder, 0o750) }
        }
        for shard in StoreLayout.shards {
            _ = try root.open("\(StoreLayout.locks)/\(shard)", O_RDWR | O_CREAT, mode: 0o640)
        }
        let file = try root.open(StoreLayout.description, O_WRONLY | O_CREAT | O_EXCL, mode: 0o640)
        let json = Array(StoreFormat.current.json.utf8)
        try file.write(json, StoreLayout.description)
        try file.synchronize(StoreLayout.description)
        try root.synchronize(path)
    }
}
