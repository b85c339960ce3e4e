import Glibc
import Logging
import System

/// A file in `incoming/` that this process created. Its name is deleted with the last reference.
///
/// Its name is random, so that cleaning up one upload can't delete the file of another one, or of its own retry.
package final class IncomingFile: Sendable {
    package let name: String
    package let descriptor: Descriptor
    private let folder: Descriptor
    private let logger: Logger
    private let isNamed: Bool

    /// - Parameter isNamed: whether the file keeps its name until the last reference is gone. A file without a name
    ///   can't be linked, and is never left behind, whatever happens.
    package init(in folder: Descriptor, isNamed: Bool = true, logger: Logger) throws {
        name = Self.uniqueName(folder.kernel)
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
            try folder.unlink(name)
        } catch {
            logger.warning("upload file left behind", metadata: ["error": "\(error)"])
        }
    }

    package static let prefix = "upload-"

    package static func uniqueName(_ kernel: any Kernel) -> String {
        "\(prefix)\(kernel.processID)-" + String(kernel.random(), radix: 36)
    }
}
