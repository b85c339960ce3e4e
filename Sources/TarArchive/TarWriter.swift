/// Writes a tar archive in POSIX's pax format: what fits is plain ustar.
package struct TarWriter {
    /// Blocks come in records of twenty (pax(1)).
    private static let recordSize = 20 * TarHeader.size

    private let write: (UnsafeRawBufferPointer) throws -> Void
    private var written = 0

    /// - Parameter write: writes all of its argument at the archive's end.
    package init(_ write: @escaping (UnsafeRawBufferPointer) throws -> Void) {
        self.write = write
    }

    /// Adds a file.
    ///
    /// - Parameters:
    ///   - size: bytes.
    ///   - modified: seconds since 1970.
    ///   - content: hands over all of the content, piece by piece, and exactly `size` bytes.
    /// - Throws: what writing or `content` throws; the archive is not to be used then.
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

    /// Adds another name of a file that was added before.
    ///
    /// - Parameter modified: seconds since 1970.
    package mutating func add(hardLink name: [UInt8], to target: [UInt8], modified: Int) throws {
        var header = TarHeader(TarHeader.Kind.hardLink, name)
        header.link = target
        header.modified = UInt64(max(0, modified))
        try add(header)
    }

    /// Ends the archive: two blocks of zeros, and as many more as fill a record.
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
            // A name for programs that don't know extended headers, and take this one for a file.
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
        // Only its remainder is of interest.
        written = (written + bytes.count) % Self.recordSize
    }

    private mutating func pad(to size: Int) throws {
        let over = written % size
        if over > 0 { try put([UInt8](repeating: 0, count: size - over)) }
    }
}
