import Foundation
import TestSupport
import Testing

@testable import PayloadKey

@Suite(.runLimit) struct TemporalMetadataTests {
    private func metadata(_ json: String) throws -> TemporalMetadata {
        try TemporalMetadata(header: Array(Data(json.utf8).base64EncodedString().utf8))
    }

    @Test func `Names are sorted by their bytes`() throws {
        let one = try metadata(#"{"b":"Mg==","a":"MQ==","é":"Mw==","B":"NA=="}"#)
        #expect(one.entries.map { String(decoding: $0.name, as: UTF8.self) } == ["B", "a", "b", "é"])
        #expect(try one.hash == metadata(#"{"é":"Mw==","a":"MQ==","B":"NA==","b":"Mg=="}"#).hash)
    }

    @Test func `Names that are equal in Unicode but differ in bytes are different names`() throws {
        let both = try metadata("{\"\u{E9}\":\"MQ==\",\"e\u{301}\":\"Mg==\"}")
        #expect(both.entries.count == 2)
        #expect(try metadata("{\"\u{E9}\":\"MQ==\"}").hash != metadata("{\"e\u{301}\":\"MQ==\"}").hash)
    }

    @Test func `If a name is given twice, the last value counts`() throws {
        #expect(try metadata(#"{"a":"MQ==","a":"Mg=="}"#) == metadata(#"{"a":"Mg=="}"#))
        #expect(try metadata(#"{"a":"MQ==","\u0061":"Mg=="}"#) == metadata(#"{"a":"Mg=="}"#))
    }

    @Test func `null means no metadata, and a null value an empty one`() throws {
        #expect(try metadata("null").entries.isEmpty)
        #expect(try metadata(#"{"a":null}"#) == metadata(#"{"a":""}"#))
    }

    @Test func `An empty prefix counts as no prefix`() throws {
        #expect(try metadata(#"{"remote-codec/key-prefix":""}"#).keyPrefix == nil)
        #expect(try metadata(#"{"remote-codec/key-prefix":"MTIzNA=="}"#).keyPrefix == Array("1234".utf8))
        #expect(try metadata("{}").keyPrefix == nil)
    }

    @Test(arguments: ["", "!", "e30", "e30=\n", "e3 0=", "e30=e30=", "_-8=", "e30=====", "====", "e3"])
    func `A header that is not standard base64 is refused`(header: String) {
        #expect(throws: TemporalMetadataError.self) { try TemporalMetadata(header: Array(header.utf8)) }
    }

    @Test(arguments: ["MQ", "M", "MQ==MQ==", "M Q==", "M\\nQ==", "_w==", "====", "AA=A", "MQ======", "MR=="])
    func `The error for a value that is not standard base64 names it`(value: String) {
        #expect(throws: TemporalMetadataError.valueNotBase64(name: Array("name".utf8))) {
            try metadata("{\"name\":\"\(value)\"}")
        }
    }
}
