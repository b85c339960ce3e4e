import Foundation
import PayloadKey
import S3
import TestSupport

extension S3Client {
    /// Puts other bytes in the place of a payload's.
    package func replace(_ key: PayloadKey, with content: [UInt8], in location: S3Location) throws {
        let folder = try TemporaryFolder()
        try write(content, to: folder.file("content"))
        let file = open(folder.file("content"), O_RDONLY | O_CLOEXEC)
        defer { close(file) }
        _ = try put(
            location.objectKey(of: key.utf8),
            from: file,
            size: UInt64(content.count),
            digest: Array(Digest(of: content).bytes),
            onlyIfAbsent: false
        )
    }
}
