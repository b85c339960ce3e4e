/// Reads a tar archive in ustar, pax or GNU format from a stream, entry by entry, in bounded memory.
///
/// The archive is untrusted: the reader checks every header's checksum, requires the end mark, and refuses entries other
/// than files, hard links and folders.
package struct TarReader {
    /// The maximum size of an extended header, in bytes.
    package static let extensionLimit = 64 << 10

    private let source: (UnsafeMutableRawBufferPointer) throws -> Int
    /// Unread bytes of the current entry's content.
    private var unread: UInt64 = 0
    /// Unread bytes of the padding after the content.
    private var padding: UInt64 = 0

    /// - Parameter source: Reads the stream's next bytes into the buffer and returns their number; zero at the end.
    package init(_ source: @escaping (UnsafeMutableRawBufferPointer) throws -> Int) {
        self.source = source
    }

    /// Skips the unread content of the previous entry and returns the next one; `nil` after the last entry of a complete
    /// archive.
    ///
    /// - Throws: ``TarError``, or the source's error.
    package mutating func next() throws -> TarEntry? {
        var records = PaxRecords()
        while true {
            try content { _ in }
            let block = try bytes(TarHeader.size)
            if block.allSatisfy({ $0 == 0 }) {
                // The entry that the attributes belong to is missing.
                guard records.isEmpty else { throw TarError.truncated }
                try readEnd()
                return nil
            }
            let header = try TarHeader(block)
            guard try takeExtension(header, into: &records) else { return try entry(header, records) }
        }
    }

    /// Passes the unread content of the current entry to `take`, piece by piece.
    ///
    /// - Throws: ``TarError`` `truncated`, or the error of the source or of `take`.
    package mutating func content(_ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        defer { buffer.deallocate() }
        while unread > 0 {
            let count = try read(into: UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(Int(clamping: unread))))
            unread -= UInt64(count)
            try take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
        while padding > 0 {
            padding -= UInt64(try read(into: UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(Int(padding)))))
        }
    }

    // MARK: Headers

    private mutating func entry(_ header: TarHeader, _ records: PaxRecords) throws -> TarEntry {
        guard !records.isSparse, header.kind != TarHeader.Kind.sparse else { throw TarError.sparse }
        let size = records.size ?? header.contentSize
        let kind: TarEntry.Kind =
            switch header.kind {
            case TarHeader.Kind.file: .file(size: size)
            case TarHeader.Kind.hardLink: .hardLink(to: records.linkPath ?? header.link)
            case TarHeader.Kind.folder: .folder
            default: throw TarError.unsupported(header.kind)
            }
        guard size == 0 || kind == .file(size: size) else { throw TarError.contentOfNoFile }
        begin(size)
        return TarEntry(name: records.path ?? header.name, kind: kind, modified: Int(clamping: header.modified))
    }

    /// Reads a header that extends the next one.
    ///
    /// - Returns: Whether `header` is one.
    private mutating func takeExtension(_ header: TarHeader, into records: inout PaxRecords) throws -> Bool {
        switch header.kind {
        case TarHeader.Kind.extended:
            guard records.isEmpty else { throw TarError.extendedHeader }
            records = try PaxRecords(extensionContent(header))
        case TarHeader.Kind.global:
            // Global attributes other than names and sizes don't matter here.
            guard try PaxRecords(extensionContent(header)).isEmpty else { throw TarError.extendedHeader }
        case TarHeader.Kind.longName:
            records.path = try Array(extensionContent(header).prefix { $0 != 0 })
        case TarHeader.Kind.longLink:
            records.linkPath = try Array(extensionContent(header).prefix { $0 != 0 })
        default:
            return false
        }
        return true
    }

    private mutating func extensionContent(_ header: TarHeader) throws -> [UInt8] {
        guard header.contentSize <= UInt64(Self.extensionLimit) else { throw TarError.extendedHeader }
        begin(header.contentSize)
        var bytes: [UInt8] = []
        try content { bytes += Array($0) }
        return bytes
    }

    private mutating func begin(_ size: UInt64) {
        unread = size
        padding = (UInt64(TarHeader.size) - size % UInt64(TarHeader.size)) % UInt64(TarHeader.size)
    }

    /// Reads the end mark's second block and the zeros that fill the last record, up to the stream's end: a writer to a
    /// pipe must not fail.
    private func readEnd() throws {
        guard try bytes(TarHeader.size).allSatisfy({ $0 == 0 }) else { throw TarError.dataAfterEnd }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        defer { buffer.deallocate() }
        while case let count = try source(buffer), count > 0 {
            guard buffer[..<count].allSatisfy({ $0 == 0 }) else { throw TarError.dataAfterEnd }
        }
    }

    // MARK: Bytes

    private func bytes(_ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        try bytes.withUnsafeMutableBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty {
                rest = rest.dropFirst(try read(into: UnsafeMutableRawBufferPointer(rebasing: rest)))
            }
        }
        return bytes
    }

    private func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let count = try source(buffer)
        guard count > 0 else { throw TarError.truncated }
        return count
    }
}
