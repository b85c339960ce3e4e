import PayloadKey

/// A payload in a file of `incoming/` whose length and digest were found right. Only the store's verification makes
/// one, and only one of these can be committed: nothing unverified is ever linked into the tree.
public struct VerifiedUpload: Sendable {
    /// The digest of the file's content.
    public let digest: Digest
    /// The file's length in bytes.
    public let size: UInt64

    package let descriptor: Descriptor
    /// Present when the file is the store's own, whose name must go afterwards; nginx removes its own.
    package let ownFile: IncomingFile?

    /// The open file's number; valid while this value lives.
    package var fileDescriptor: Int32 { descriptor.rawValue }
}

/// An upload that is not what its sender announced.
public enum UploadMismatch: Error, Equatable {
    /// The body's length is not the announced one (bytes; for a streamed body that is too long, where reading stopped).
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
