/// Why a stream is not a tar archive that can be read here.
package enum TarError: Error, Equatable {
    /// The stream ends before the archive's end mark.
    case truncated
    /// A header's checksum is not that of its bytes.
    case checksum
    /// A header is neither POSIX's nor GNU's.
    case unknownFormat
    /// A number of a header is none, or does not fit.
    case number(field: String)
    /// An extended header is not well formed, or over the limit.
    case extendedHeader
    /// What the archive has no meaning for here: the kind of entry, as its header has it.
    case unsupported(kind: UInt8)
    /// A file in pieces with holes between them.
    case sparse
    /// A link or folder with content.
    case contentOfNoFile
    /// Something follows the archive's end mark.
    case dataAfterEnd
}

extension TarError: CustomStringConvertible {
    /// One line for people.
    package var description: String {
        switch self {
        case .truncated: "the archive is cut off"
        case .checksum: "a header is damaged: its checksum is wrong"
        case .unknownFormat: "this is no tar archive, neither POSIX's nor GNU's"
        case .number(let field): "a header is damaged: its \(field) is no number that can be"
        case .extendedHeader: "an extended header is not well formed, or has over \(TarReader.extensionLimit) bytes"
        case .unsupported(let kind): "an entry of type \(Self.name(kind)) is not accepted"
        case .sparse: "a sparse file is not accepted"
        case .contentOfNoFile: "a link or folder with content is not accepted"
        case .dataAfterEnd: "something follows the archive's end"
        }
    }

    /// The types of POSIX by their names, others by their byte.
    private static func name(_ kind: UInt8) -> String {
        switch kind {
        case UInt8(ascii: "2"): "symbolic link"
        case UInt8(ascii: "3"), UInt8(ascii: "4"): "device"
        case UInt8(ascii: "6"): "fifo"
        default: "\(kind)"
        }
    }
}
