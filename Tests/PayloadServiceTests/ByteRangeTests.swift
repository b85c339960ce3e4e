import Testing

@testable import PayloadService

@Suite struct ByteRangeTests {
    @Test(
        arguments: [
            ("bytes=0-0", .part(0..<1)), ("bytes=0-", .part(0..<10)), ("bytes=3-5", .part(3..<6)),
            ("bytes=9-", .part(9..<10)),
            ("bytes=5-100", .part(5..<10)), ("bytes=-3", .part(7..<10)), ("bytes=-100", .part(0..<10)),
            ("bytes=10-", .unsatisfiable), ("bytes=10-20", .unsatisfiable), ("bytes=-0", .unsatisfiable),
            ("bytes=5-3", .whole), ("bytes=0-1,3-4", .whole), ("bytes=a-b", .whole), ("bytes=", .whole),
            ("bytes=-", .whole),
            ("items=0-1", .whole), ("bytes=0-18446744073709551615", .part(0..<10)),
            ("bytes=99999999999999999999-", .whole),
            ("bytes=0-99999999999999999999", .whole), ("bytes=+1-2", .whole), ("", .whole),
        ] as [(String, ByteRange)]
    )
    func `Of 10 bytes a range is what RFC 9110 says`(field: String, range: ByteRange) {
        #expect(ByteRange(Array(field.utf8), size: 10) == range)
    }

    @Test func `An empty payload has no byte that a range could ask for`() {
        #expect(ByteRange(Array("bytes=0-".utf8), size: 0) == .unsatisfiable)
        #expect(ByteRange(Array("bytes=-1".utf8), size: 0) == .unsatisfiable)
        #expect(ByteRange(nil, size: 0) == .whole)
    }
}
