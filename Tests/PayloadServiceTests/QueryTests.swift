import Testing

@testable import PayloadService

@Suite struct QueryTests {
    @Test func `The first of two values counts, and an empty one is none`() {
        let query = Query(Array("a=1&a=2&b=&c&&d=x=y&%65=6&=7".utf8))
        #expect(query["a"] == Array("1".utf8))
        #expect(query["b"] == nil)
        #expect(query["c"] == nil)
        #expect(query["d"] == Array("x=y".utf8))
        #expect(query["e"] == Array("6".utf8))
        #expect(query["f"] == nil)
    }
}
