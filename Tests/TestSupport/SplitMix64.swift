/// Reproducible random numbers: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
package struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    package init(state: UInt64) {
        self.state = state
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

/// Texts of up to `longest` random pieces; the same ones each time.
package func randomTexts(_ count: Int, of pieces: [String], longest: Int) -> [String] {
    var random = SplitMix64(state: 7)
    return (0..<count).map { _ in
        (0..<Int.random(in: 0...longest, using: &random))
            .map { _ in pieces[Int.random(in: 0..<pieces.count, using: &random)] }
            .joined()
    }
}
