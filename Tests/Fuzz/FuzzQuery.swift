import Encoding

@testable import PayloadService

/// Tests queries and percent-encoding: encoded text decodes to itself, and no parameter is empty.
func fuzzQuery(_ text: [UInt8]) {
    let encoded = Array(PercentEncoding.encodePath(text).utf8)
    precondition(PercentEncoding.decodeQueryValue(encoded) == text)
    precondition(PercentEncoding.decodeStrictly(encoded) == text)
    precondition(PercentEncoding.decodeQueryValue(text).count <= text.count)
    let query = Query(text[...])
    for name in ["namespace", "digest", "key"] {
        precondition(query[name]?.isEmpty != true)
    }
    if !text.isEmpty {
        precondition(Query(Array("a=b&key=".utf8) + encoded + Array("&key=other".utf8)[...])["key"] == text[...])
    }
}
