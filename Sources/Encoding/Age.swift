/// A time span as operators write it: a number followed by `d`, `h`, `m` or `s`.
package struct Age: Equatable, Sendable {
    /// The seconds of a day.
    package static let day = 86_400

    package let seconds: Int
    /// The span as the operator wrote it, for messages.
    package let text: String

    /// Parses a span; `nil` if it is invalid, or its number exceeds 2^31 - 1.
    package init?(parsing text: String) {
        // Keeps the difference between any time and a span in range.
        let limit = UInt64(Int32.max)
        let units: [String: UInt64] = ["d": UInt64(Self.day), "h": 3600, "m": 60, "s": 1]
        guard let seconds = DecimalNumber.parse(text, units: units, limit: limit) else { return nil }
        self.seconds = Int(seconds)
        self.text = text
    }
}
