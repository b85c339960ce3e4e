import Foundation
import Logging
import DiskStore
import Storage

/// A store in its own folder below the one that FUZZ_FOLDER names.
final class FuzzStore: Sendable {
    let folder: String
    let path: String
    let store: DiskStore
    let logger = Logger(label: "fuzz") { _ in SwiftLogNoOpLogHandler() }

    init(_ name: String) {
        guard let parent = getenv("FUZZ_FOLDER") else { preconditionFailure("FUZZ_FOLDER must be a folder") }
        folder = "\(String(cString: parent))/\(name)-\(getpid())"
        Self.remove(folder)
        path = "\(folder)/store"
        precondition(mkdir(folder, 0o700) == 0)
        do {
            try DiskStore.create(at: path)
            store = try DiskStore(path: path, reserve: 0, logger: logger)
        } catch {
            preconditionFailure("\(error)")
        }
    }

    deinit {
        Self.remove(folder)
    }

    /// Creates a file below the folder.
    func write(_ text: String, to name: String) {
        let file = open("\(folder)/\(name)", O_WRONLY | O_CREAT | O_EXCL, 0o600)
        precondition(Foundation.write(file, text, text.utf8.count) == text.utf8.count)
        close(file)
    }

    var hasIncoming: Bool {
        guard let stream = opendir("\(path)/incoming") else { preconditionFailure("incoming is gone") }
        defer { closedir(stream) }
        var count = 0
        while readdir(stream) != nil { count += 1 }
        // The entries . and .. always exist.
        return count > 2
    }

    private static func remove(_ folder: String) {
        try? FileManager.default.removeItem(atPath: folder)
    }
}
