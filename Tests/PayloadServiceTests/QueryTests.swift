import TestSupport
import Testing

@testable import PayloadService

@Suite(.runLimit) struct QueryTests {
    @Test(
        arguments: [
            ("key=a", "a"), ("a=b&key=c&d=e", "c"), ("key=a&key=b", "a"), ("key=&key=b", nil), ("key", nil), ("", nil),
            ("&&key=a&", "a"), ("=b&key=a", "a"), ("keys=b&ke=c&key=a", "a"), ("key=a=b", "a=b"), ("k%65y=a", "a"),
            ("key=a+b%21", "a b!"), ("key=%", "%"), ("a=key&b=%26key=c", nil), ("KEY=a", nil), ("+key=a", nil),
        ]
    )
    func `A parameter's first value counts, decoded if necessary, unless it is empty`(query: String, value: String?) {
        #expect(Query(sent(query))["key"] == value.map(sent), "\(query)")
    }
}
