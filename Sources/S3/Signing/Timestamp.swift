import FoundationEssentials
import HTTP

/// Formats a time in UTC, as in `20130524T000000Z` (ISO 8601, basic format).
func timestamp(_ unixSeconds: Int) -> String {
    let style = Date.ISO8601FormatStyle(dateSeparator: .omitted, timeSeparator: .omitted)
    return Date(timeIntervalSince1970: Double(unixSeconds)).formatted(style)
}

/// Parses a time in UTC, as in `2013-05-24T00:00:00Z` (RFC 3339), into Unix seconds. Ignores fractions of a second.
func unixSeconds(ofTimestamp text: String) -> Int? {
    var text = text
    if let point = text.utf8.firstIndex(of: UInt8(ascii: ".")), text.utf8.last == UInt8(ascii: "Z"),
        decimal(text.utf8[point...].dropFirst().dropLast()) != nil
    {
        text = text[..<point] + "Z"
    }
    // The parser also accepts other formats and days that do not exist.
    guard let date = try? Date(text, strategy: .iso8601), date.ISO8601Format() == text else { return nil }
    return Int(date.timeIntervalSince1970)
}
