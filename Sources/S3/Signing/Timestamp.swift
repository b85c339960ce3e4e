import Glibc

/// A time in UTC as in `20130524T000000Z` (ISO 8601, basic format).
func timestamp(_ unixSeconds: Int) -> String {
    var seconds = time_t(unixSeconds)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    func digits(_ number: Int32, _ count: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
    }
    let day = digits(parts.tm_year + 1900, 4) + digits(parts.tm_mon + 1, 2) + digits(parts.tm_mday, 2)
    return day + "T" + digits(parts.tm_hour, 2) + digits(parts.tm_min, 2) + digits(parts.tm_sec, 2) + "Z"
}

/// Unix seconds of a time in UTC as in `2013-05-24T00:00:00Z` (RFC 3339); fractions of a second are left out.
func unixSeconds(ofTimestamp text: String) -> Int? {
    var text = Array(text.utf8)
    if text.count > 20, text[19] == UInt8(ascii: "."), text.last == UInt8(ascii: "Z"),
        text[20...].dropLast().allSatisfy(isDigit)
    {
        text.removeSubrange(19..<(text.count - 1))
    }
    let pattern = Array("0000-00-00T00:00:00Z".utf8)
    guard text.count == pattern.count,
        zip(text, pattern).allSatisfy({ $1 == UInt8(ascii: "0") ? isDigit($0) : $0 == $1 })
    else { return nil }
    func number(_ range: Range<Int>) -> Int32 {
        text[range].reduce(0) { $0 * 10 + Int32($1 - UInt8(ascii: "0")) }
    }
    var parts = tm()
    parts.tm_year = number(0..<4) - 1900
    parts.tm_mon = number(5..<7) - 1
    parts.tm_mday = number(8..<10)
    parts.tm_hour = number(11..<13)
    parts.tm_min = number(14..<16)
    parts.tm_sec = number(17..<19)
    let asked = parts
    let seconds = timegm(&parts)
    // It moves what is past a month's or a day's end into the next.
    guard parts.tm_mon == asked.tm_mon, parts.tm_mday == asked.tm_mday, parts.tm_hour == asked.tm_hour,
        parts.tm_min == asked.tm_min
    else { return nil }
    return seconds
}

private func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
}
