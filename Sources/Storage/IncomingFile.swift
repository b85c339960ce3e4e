import Glibc
import Logging
import System

/// A file of our own in `incoming/`, whose name is gone with the last reference.
///
/// Its name is random: an upload's clean-up can never touch the file of another one, nor of its own retry.
package final class IncomingFile: Sendable {
    package let name: String
    package let descriptor: Descriptor
    private let folder: Descriptor
    private let logger: Logger
    private let isNamed: Bool

    /// - Parameter isNamed: whether it keeps its name as long as it is referred to. Without one, nothing is left of it
    ///   whatever happens, and it can't be linked.
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
            logger.warning("an upload's file was left behind, the sweep will take it", metadata: ["error": "\(error)"])
        }
    }

    package static let prefix = "upload-"

    package static func uniqueName(_ kernel: any Kernel) -> String {
        "\(prefix)\(kernel.processID)-" + String(kernel.random(), radix: 36)
    }
}
