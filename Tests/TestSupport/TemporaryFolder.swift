import Foundation

/// A folder that is deleted with the last reference.
package final class TemporaryFolder: Sendable {
    package let path: String

    /// - Parameter isInMemory: whether to use a tmpfs, if any; for many small files whose syncs need not reach a disk.
    package init(isInMemory: Bool = false) throws {
        // Short, since the path of a unix socket has at most 107 bytes.
        let parent = isInMemory && access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
        var template = Array("\(parent)/lps-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    package func file(_ name: String) -> String {
        "\(path)/\(name)"
    }
}

/// A folder that is filled once for all tests of a run and deleted with its process.
package struct SharedFolder: Sendable {
    private let folder: Result<TemporaryFolder, any Error>

    package init(_ fill: (TemporaryFolder) throws -> Void) {
        folder = Result {
            let folder = try TemporaryFolder()
            OrphanWatcher.shared.add(folder)
            try fill(folder)
            return folder
        }
    }

    package func file(_ name: String) throws -> String { try folder.get().file(name) }
}

/// All non-folders below a folder, as sorted relative paths.
package func files(below folder: String) -> [String] {
    let names = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
    return names.filter { !isFolder("\(folder)/\($0)") }.sorted()
}

private func isFolder(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

package func contents(of path: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: path)))
}

package func write(_ bytes: some Sequence<UInt8>, to path: String) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: path))
}
