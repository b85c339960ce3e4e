/// A time span as operators write it: a number with `d`, `h`, `m` or `s`.
package struct Age: Equatable, Sendable {
    /// Seconds.
    package static let day = 86_400

    package let seconds: Int
    /// As it was written.
    package let text: String

    /// Reads a span; `nil` when it is none, or too long for any clock.
    package init?(parsing text: String) {
        let units: [Character: Int] = ["d": Self.day, "h": 3600, "m": 60, "s": 1]
        guard let unit = text.last.flatMap({ units[$0] }),
            let number = try? DecimalNumber.parse(text.dropLast().utf8),
            // So that it can be subtracted from any time.
            number <= Int32.max
        else { return nil }
        seconds = Int(number) * unit
        self.text = text
    }
}
