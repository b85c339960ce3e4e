import ArgumentParser
import FoundationEssentials
@preconcurrency import Glibc
import PayloadKey
import Storage
import SystemPackage

/// Formats results, for people or as JSON.
enum Output {
    /// Encodes a value as one line of JSON with sorted keys.
    static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// A value with one additional field, as one JSON object.
    struct Extended<Value: Encodable, Added: Encodable>: Encodable {
        let value: Value
        let field: String
        let added: Added

        func encode(to encoder: any Encoder) throws {
            try value.encode(to: encoder)
            try [field: added].encode(to: encoder)
        }
    }

    /// Checks that all output was written, and exits with status 1 if not: a command whose results are lost, for example on
    /// a full disk, has failed.
    static func finish() {
        // print(_:) does not report failures, but the stream records them (ferror(3)). A network file system may report one
        // only on close.
        let isFlushed = fflush(stdout) == 0
        let reason = errno
        guard isFlushed, ferror(stdout) == 0 else { fail(isFlushed ? nil : reason) }
        if close(STDOUT_FILENO) != 0 { fail(errno) }
    }

    private static func fail(_ errno: Int32?) -> Never {
        complain("write to standard output" + (errno.map { ": \(Errno(rawValue: $0))" } ?? " failed"))
        exit(EXIT_FAILURE)
    }

    /// Formats a size with one decimal: `1.5 MiB`.
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

    /// A time, in JSON a string like `2026-11-24T18:20:00Z`.
    struct Time: Encodable, Comparable, CustomStringConvertible {
        /// Seconds since 1970.
        let seconds: Int

        var description: String { Output.time(seconds) }

        static func < (one: Time, other: Time) -> Bool { one.seconds < other.seconds }

        func encode(to encoder: any Encoder) throws { try description.encode(to: encoder) }
    }

    /// Formats seconds since 1970 as a time in UTC: `2026-11-24T18:20:00Z`.
    static func time(_ seconds: Int) -> String {
        Date(timeIntervalSince1970: Double(seconds)).ISO8601Format()
    }

    /// Formats rows as columns: the first is left-aligned, the others right-aligned.
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

    /// Formats fields as lines of name and value, with the values aligned.
    static func fields(_ fields: [(name: String, value: String)]) -> String {
        let width = fields.map(\.name.count).max() ?? 0
        return fields.map { "\($0.name)\(padding(of: $0.name, to: width))  \($0.value)" }.joined(separator: "\n")
    }

    /// Formats a key as text: size, when last stored, key.
    static func row(of stored: StoredKey) -> String { row(size: stored.size, at: stored.lastStored, stored.key) }

    /// Formats a key as text, with a size (`nil` when the content is lost) and a time in seconds since 1970.
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
    // If standard error can't be written, the message can go nowhere else.
    _ = try? FileDescriptor.standardError.writeAll(Array("lps: \(message)\n".utf8))
}
