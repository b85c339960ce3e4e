/// Why a stream is not a tar archive that can be read here, in one line.
package struct TarError: Error, Equatable, CustomStringConvertible {
    package let description: String

    private init(_ description: String) { self.description = description }

    static let truncated = TarError("the archive is cut off")
    static let checksum = TarError("a header is damaged: its checksum is wrong")
    static let unknownFormat = TarError("this is no tar archive, neither POSIX's nor GNU's")
    static let extendedHeader = TarError(
        "an extended header is not well formed, or has over \(TarReader.extensionLimit) bytes"
    )
    static let sparse = TarError("a sparse file is not accepted")
    static let contentOfNoFile = TarError("a link or folder with content is not accepted")
    static let dataAfterEnd = TarError("something follows the archive's end")

    static func number(_ field: String) -> TarError {
        TarError("a header is damaged: its \(field) is no number that can be")
    }

    /// - Parameter kind: as the header has it.
    static func unsupported(_ kind: UInt8) -> TarError {
        let names = ["2": "symbolic link", "3": "device", "4": "device", "6": "fifo"]
        return TarError("an entry of type \(names["\(UnicodeScalar(kind))"] ?? "\(kind)") is not accepted")
    }
}
