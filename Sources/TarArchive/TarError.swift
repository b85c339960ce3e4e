/// Why a stream can't be read as a tar archive, in one line.
package struct TarError: Error, Equatable, CustomStringConvertible {
    package let description: String

    private init(_ description: String) { self.description = description }

    static let truncated = TarError("the archive is truncated")
    static let checksum = TarError("a header is damaged: its checksum is wrong")
    static let unknownFormat = TarError("this is not a tar archive in POSIX or GNU format")
    static let extendedHeader = TarError(
        "an extended header is malformed, or larger than \(TarReader.extensionLimit) bytes"
    )
    static let sparse = TarError("sparse files are not supported")
    static let contentOfNoFile = TarError("a link or folder has content")
    static let dataAfterEnd = TarError("data follows the archive's end")

    static func number(_ field: String) -> TarError {
        TarError("a header is damaged: its \(field) is not a valid number")
    }

    /// - Parameter kind: the header's type byte.
    static func unsupported(_ kind: UInt8) -> TarError {
        let names = ["2": "symbolic link", "3": "device", "4": "device", "6": "fifo"]
        return TarError("entries of type \(names["\(UnicodeScalar(kind))"] ?? "\(kind)") are not supported")
    }
}
