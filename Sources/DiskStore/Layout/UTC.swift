import FoundationEssentials

/// Formats times for messages.
enum UTC {
    /// Seconds since 1970 as `2026-11-24T18:20:00Z`.
    static func text(_ seconds: Int) -> String { Date(timeIntervalSince1970: Double(seconds)).ISO8601Format() }
}
