/// Writes a tar archive in pax format; entries that fit are plain ustar.
package struct TarWriter {
    /// A record is twenty blocks (pax(1)).
    private static let recordSize = 20 * TarHeader.size

    private let write: (UnsafeRawBufferPointer) throws -> Void
    private var written = 0

    /// - Parameter write: Appends all given bytes to the archive.
    package init(_ write: @escaping (UnsafeRawBufferPointer) throws -> Void) {
        self.write = write
    }

    /// Adds a file.
    ///
    /// - Parameters:
    ///   - size: The size of the content, in bytes.
    ///   - modified: Seconds since 1970.
    ///   - content: Passes exactly `size` bytes of content to its argument, piece by piece.
    /// - Throws: The error of writing or of `content`; the archive is unusable then.
    package mutating func add(
        file name: [UInt8],
        size: UInt64,
        modified: Int,
        content: (_ take: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws {
        var header = TarHeader(TarHeader.Kind.file, name)
        header.contentSize = size
        header.modified = UInt64(max(0, modified))
        try add(header)
        var rest = size
        try content { piece in
            precondition(piece.count <= rest, "a file has the size that it was announced with")
            rest -= UInt64(piece.count)
            try put(piece)
        }
        precondition(rest == 0, "a file has the size that it was announced with")
        try pad(to: TarHeader.size)
    }

    /// Adds another name of a file added earlier.
    ///
    /// - Parameter modified: Seconds since 1970.
    package mutating func add(hardLink name: [UInt8], to target: [UInt8], modified: Int) throws {
        var header = TarHeader(TarHeader.Kind.hardLink, name)
        header.link = target
        header.modified = UInt64(max(0, modified))
        try add(header)
    }

    /// Ends the archive with two blocks of zeros, and fills the last record with zeros.
    package mutating func end() throws {
        try put([UInt8](repeating: 0, count: 2 * TarHeader.size))
        try pad(to: Self.recordSize)
    }

    private mutating func add(_ header: TarHeader) throws {
        var records = PaxRecords()
        if TarHeader.fields(ofName: header.name) == nil { records.path = header.name }
        if !TarHeader.fits(link: header.link) { records.linkPath = header.link }
        if header.contentSize > TarHeader.largestNumber { records.size = header.contentSize }
        if !records.isEmpty {
            let bytes = records.bytes
            // Programs that don't know extended headers extract this one as a file of this name.
            var extended = TarHeader(TarHeader.Kind.extended, Array("pax-header".utf8))
            extended.contentSize = UInt64(bytes.count)
            extended.modified = header.modified
            try put(extended.block)
            try put(bytes)
            try pad(to: TarHeader.size)
        }
        try put(header.block)
    }

    private mutating func put(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try put($0) }
    }

    private mutating func put(_ bytes: UnsafeRawBufferPointer) throws {
        try write(bytes)
        // Only the remainder is needed, for padding.
        written = (written + bytes.count) % Self.recordSize
    }

    private mutating func pad(to size: Int) throws {
        let over = written % size
        if over > 0 { try put([UInt8](repeating: 0, count: size - over)) }
    }
}
