import TarArchive

/// Tests tar archives with corrected header checksums, which a fuzzer can't guess: content has the length that its
/// entry states, and the entries read have no more bytes than the archive.
func fuzzTar(_ text: [UInt8]) throws {
    let archive = withChecksums(text)
    var rest = archive[...]
    var reader = TarReader { buffer in
        let piece = rest.prefix(buffer.count)
        buffer.copyBytes(from: piece)
        rest = rest.dropFirst(piece.count)
        return piece.count
    }
    var total = 0
    while let entry = try reader.next() {
        var size: UInt64 = 0
        try reader.content { size += UInt64($0.count) }
        if case .file(let announced) = entry.kind { precondition(size == announced) } else { precondition(size == 0) }
        total += Int(size)
        precondition(total <= archive.count)
    }
}

/// Writes the checksum (pax(1)) into every block that is marked as a header.
private func withChecksums(_ text: [UInt8]) -> [UInt8] {
    var archive = text
    var start = 0
    while start + 512 <= archive.count {
        if archive[(start + 257)..<(start + 262)].elementsEqual("ustar".utf8) {
            for index in (start + 148)..<(start + 156) { archive[index] = UInt8(ascii: " ") }
            let sum = archive[start..<(start + 512)].reduce(0) { $0 + Int($1) }
            let digits = String(sum, radix: 8)
            let field = String(repeating: "0", count: max(0, 6 - digits.count)) + digits
            for (offset, byte) in field.utf8.enumerated() { archive[start + 148 + offset] = byte }
            archive[start + 154] = 0
        }
        start += 512
    }
    return archive
}
