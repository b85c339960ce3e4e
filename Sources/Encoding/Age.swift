/// A time span as operators write it: a number with `d`, `h`, `m` or `s`.
package struct Age: Equatable, Sendable {
    /// Seconds.
    package static let day = 86_400

    package let seconds: Int
    /// As it was written.
    package let text: String

    /// Reads a span; `nil` when it is none, or too long for any clock.
    package init?(parsing text: String) {
        // So that it can be subtracted from any time.
        let limit = UInt64(Int32.max)
        let units: [String: UInt64] = ["d": UInt64(Self.day), "h": 3600, "m": 60, "s": 1]
        guard let seconds = DecimalNumber.parse(text, units: units, limit: limit) else { return nil }
        self.seconds = Int(seconds)
        self.text = text
    }
}
