import Glibc
import Logging

/// A file of our own in `incoming/`, whose name is gone with the last reference.
///
/// Its name is random: an upload's clean-up can never touch the file of another one, nor of its own retry.
final class IncomingFile: Sendable {
    let name: String
    let descriptor: Descriptor
    private let folder: Descriptor
    private let logger: Logger
    private let isNamed: Bool

    /// - Parameter isNamed: whether it keeps its name as long as it is referred to. Without one, nothing is left of it
    ///   whatever happens, and it can't be linked.
    init(in folder: Descriptor, isNamed: Bool = true, logger: Logger) throws(StoreError) {
        let name = Self.uniqueName()
        self.name = name
        self.folder = folder
        self.logger = logger
        self.isNamed = isNamed
        descriptor = try folder.open(name, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
        if !isNamed { removeName() }
    }

    deinit {
        if isNamed { removeName() }
    }

    private func removeName() {
        do {
            try systemCall("unlink \(StoreLayout.incoming)/\(name)") { unlinkat(folder.rawValue, name, 0) }
        } catch {
            logger.warning("an upload's file was left behind, the sweep will take it", metadata: ["error": "\(error)"])
        }
    }

    static let prefix = "upload-"

    static func uniqueName() -> String {
        var generator = SystemRandomNumberGenerator()
        return "\(prefix)\(getpid())-" + String(generator.next() as UInt64, radix: 36)
    }
}

/// Links an open file to `path` below `folder` (linkat(2)).
///
/// Through `/proc/self/fd`, so that what is linked is the very file that was verified, whatever its name means by now.
func link(_ file: Descriptor, to path: String, in folder: Descriptor) throws(StoreError) {
    try systemCall("link \(path)") {
        linkat(AT_FDCWD, "/proc/self/fd/\(file.rawValue)", folder.rawValue, path, AT_SYMLINK_FOLLOW)
    }
}
