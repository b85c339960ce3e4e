import PayloadKey

/// An upload in `incoming/` whose length and digest match the announced ones. Only ``UploadFolder`` creates these
/// values, and only they can be committed: unverified content is never reachable under a key.
public struct VerifiedUpload: Sendable {
    /// The digest of the file's content.
    public let digest: Digest
    /// The file's length in bytes.
    public var size: UInt64 { content.size }

    package let content: FileContent
    /// Set if this process created the file, and must delete its name afterwards; nginx deletes its own files.
    package let ownFile: IncomingFile?

    package var descriptor: Descriptor { content.descriptor }

    /// The open file's descriptor, valid for the life of this value.
    package var fileDescriptor: Int32 { descriptor.rawValue }
}

/// An upload that differs from the announcement of its sender.
public enum UploadMismatch: Error, Equatable {
    /// The body's length is not the announced one. In bytes; for a streamed body that is too long, `actual` is the
    /// number of bytes read before reading stopped.
    case length(announced: UInt64, actual: UInt64)
    /// The body's digest is not the announced one.
    case digest(announced: Digest, actual: Digest)
}

extension UploadMismatch: CustomStringConvertible {
    /// One line for the log.
    public var description: String {
        switch self {
        case .length(let announced, let actual): "body has \(actual) bytes, \(announced) were announced"
        case .digest(let announced, let actual): "body has digest \(actual), \(announced) was announced"
        }
    }
}
