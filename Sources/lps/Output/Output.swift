import ArgumentParser
import FoundationEssentials
@preconcurrency import Glibc
import PayloadKey
import Storage
import SystemPackage

/// How results look: to people, or to scripts.
enum Output {
    /// A value as one line of JSON.
    static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// A value and one more field of it, in one JSON object.
    struct Extended<Value: Encodable, Added: Encodable>: Encodable {
        let value: Value
        let field: String
        let added: Added

        func encode(to encoder: any Encoder) throws {
            try value.encode(to: encoder)
            try [field: added].encode(to: encoder)
        }
    }

    /// Makes sure that what was printed has arrived: on a disk that is full it has not, and without its result no command
    /// has succeeded.
    static func finish() {
        // print(_:) tells of no failure; the stream remembers it (ferror(3)). A network's file system may say so at the end.
        let isFlushed = fflush(stdout) == 0
        let reason = errno
        guard isFlushed, ferror(stdout) == 0 else { fail(isFlushed ? nil : reason) }
        if close(STDOUT_FILENO) != 0 { fail(errno) }
    }

    private static func fail(_ errno: Int32?) -> Never {
        complain("write to standard output" + (errno.map { ": \(Errno(rawValue: $0))" } ?? " failed"))
        exit(EXIT_FAILURE)
    }

    /// Bytes as people read them, with one digit behind the point: `1.5 MiB`.
    static func size(_ bytes: UInt64) -> String {
        var value = Double(bytes)
        var unit = 0
        let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
        while value >= 1024, unit + 1 < units.count {
            value /= 1024
            unit += 1
        }
        guard unit > 0 else { return "\(bytes) B" }
        let tenths = UInt64((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10) \(units[unit])"
    }

    /// A time in JSON.
    struct Time: Encodable, Comparable, CustomStringConvertible {
        /// Since 1970.
        let seconds: Int

        var description: String { Output.time(seconds) }

        static func < (one: Time, other: Time) -> Bool { one.seconds < other.seconds }

        func encode(to encoder: any Encoder) throws { try description.encode(to: encoder) }
    }

    /// Seconds since 1970 as a time in UTC: `2026-11-24T18:20:00Z`.
    static func time(_ seconds: Int) -> String {
        Date(timeIntervalSince1970: Double(seconds)).ISO8601Format()
    }

    /// Columns, each as wide as its widest text; the first is aligned to the left, the others to the right.
    static func table(_ rows: [[String]]) -> String {
        let widths = (rows.first?.indices ?? 0..<0).map { column in rows.map { $0[column].count }.max() ?? 0 }
        let lines = rows.map { row in
            row.indices.map { column in
                let padding = padding(of: row[column], to: widths[column])
                return column == 0 ? row[column] + padding : padding + row[column]
            }.joined(separator: "  ")
        }
        return lines.joined(separator: "\n")
    }

    /// What belongs to one thing, a line each.
    static func fields(_ fields: [(name: String, value: String)]) -> String {
        let width = fields.map(\.name.count).max() ?? 0
        return fields.map { "\($0.name)\(padding(of: $0.name, to: width))  \($0.value)" }.joined(separator: "\n")
    }

    /// A key for people: its size, when it was last stored, and itself.
    static func row(of stored: StoredKey) -> String { row(size: stored.size, at: stored.lastStored, stored.key) }

    /// A key for people, with a size, `nil` where the content is lost, and a time in seconds since 1970.
    static func row(size: UInt64?, at seconds: Int, _ key: PayloadKey) -> String {
        let size = size.map(Output.size) ?? "lost"
        return "\(padding(of: size, to: 10))\(size)  \(time(seconds))  \(key)"
    }

    private static func padding(of text: String, to width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count))
    }
}

/// Writes a line to standard error.
func complain(_ message: String) {
    // Nobody is left to be told that standard error can't be written.
    _ = try? FileDescriptor.standardError.writeAll(Array("lps: \(message)\n".utf8))
}
