import TestSupport
import Testing

@testable import Encoding

@Suite(.runLimit) struct SettingTests {
    @Test(
        arguments: [
            ("0", 0), ("1", 1), ("1k", 1024), ("2K", 2048), ("3m", 3 << 20), ("4G", 4 << 30), ("", nil), ("k", nil),
            ("1kb", nil),
            ("17179869184g", nil), ("18446744073709551616", nil),
        ] as [(String, UInt64?)]
    )
    func `Sizes are in bytes or have nginx's suffixes`(text: String, size: UInt64?) {
        #expect(ByteSize.parse(text) == size)
    }

    @Test(
        arguments: [
            ("45d", 45 * 86_400), ("36h", 36 * 3600), ("90m", 5400), ("0s", 0), ("2147483647d", 2_147_483_647 * 86_400),
            ("2147483648s", nil), ("45", nil), ("d", nil), ("", nil), ("-1d", nil), ("+1d", nil), ("1.5d", nil),
            ("1D", nil), (" 1d", nil), ("\u{0661}d", nil),
        ] as [(String, Int?)]
    )
    func `Ages are a number with a unit, and can be subtracted from any time`(text: String, seconds: Int?) {
        #expect(Age(parsing: text)?.seconds == seconds)
    }
}
