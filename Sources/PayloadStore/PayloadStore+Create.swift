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
        let present = try root.names(".").filter { $0 != StoreLayout.lostAndFound }
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

extension Descriptor {
    /// The names in a folder below this one, without `.` and `..`, in no order.
    func names(_ path: String) throws(StoreError) -> [String] {
        let descriptor = try systemCall("open folder \(path)") {
            openat(rawValue, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        }
        guard let stream = fdopendir(descriptor) else {
            let error = Errno(rawValue: errno)
            close(descriptor)
            throw StoreError(.system, "read folder \(path)", errno: error)
        }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                let error = Errno(rawValue: errno)
                guard error.rawValue == 0 else { throw StoreError(.system, "read folder \(path)", errno: error) }
                return names
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
    }

    /// Writes all of `bytes` at the file's end.
    func write(_ bytes: [UInt8], _ name: String) throws(StoreError) {
        do {
            try bytes.withUnsafeBytes { try write($0, name) }
        } catch let error as StoreError {
            throw error
        } catch {
            throw StoreError(.system, "write \(name): \(error)")
        }
    }

    /// Writes all of `bytes` at the file's end; write(2) may take less than it is given.
    func write(_ bytes: UnsafeRawBufferPointer, _ name: @autoclosure () -> String) throws(StoreError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = try countingSystemCall("write \(name())") {
                Glibc.write(rawValue, rest.baseAddress, rest.count)
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }
}
