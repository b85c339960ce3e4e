import Foundation
import TestSupport
import Testing

@testable import PayloadService

@Suite struct Base64StreamTests {
    private func decode(_ text: String, pieces size: Int) throws -> [UInt8] {
        var decoder = Base64Decoder()
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            bytes += try decoder.decode(rest.prefix(size))
            rest = rest.dropFirst(size)
        }
        return try bytes + decoder.finish()
    }

    @Test(arguments: [0, 1, 2, 3, 4, 5, 16_384, 50_000, 50_001, 50_002], [1, 3, 4, 1000, 16_383, 100_000])
    func `Text is encoded and decoded in pieces of any size`(count: Int, piece: Int) throws {
        let bytes = randomPayload(count)
        var encoder = Base64Encoder()
        var text: [UInt8] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            text += rest.prefix(piece).withUnsafeBytes { encoder.encode($0) }
            rest = rest.dropFirst(piece)
        }
        text += encoder.finish()
        #expect(text == Array(Data(bytes).base64EncodedString().utf8))
        #expect(text.count == Int(Base64Encoder.length(of: UInt64(count))))
        let encoded = String(decoding: text, as: UTF8.self)
        #expect(try decode(encoded, pieces: piece) == bytes)
        let urlSafe = encoded.replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
        #expect(try decode(urlSafe.replacingOccurrences(of: "=", with: ""), pieces: piece) == bytes)
    }

    @Test(arguments: [
        "Q", "QQ=", "QQ===", "QQ==QQ==", "Q=Q=", "=", "====", "QUJD=", "Q Q=", "QR==", "QQ==\u{B}", "é", " =",
    ])
    func `Invalid base64 is refused, also across pieces`(text: String) {
        for size in 1...5 {
            #expect(throws: Base64Decoder.Failure.self) { try decode(text, pieces: size) }
        }
        // After a long valid text.
        let long = String(repeating: "QUJD", count: 10_000)
        for size in [4, 16_384, 100_000] {
            #expect(throws: Base64Decoder.Failure.self) { try decode(long + text, pieces: size) }
        }
        #expect(throws: Base64Decoder.Failure.self) { try decode("QQ==" + long, pieces: 4) }
        #expect(throws: Base64Decoder.Failure.self) { try decode(long + "QQ==" + long, pieces: 16_384) }
    }

    /// Ruby's `Base64.encode64` and Python's `base64.encodebytes` break lines with LF, Java's MIME encoder with CR LF.
    @Test(arguments: ["\n", "\r\n", "\r\n\t", " "], [0, 1, 2, 57, 16_385])
    func `White space is ignored at any position`(space: String, count: Int) throws {
        let bytes = randomPayload(count)
        let text = Data(bytes).base64EncodedString()
        for width in [1, 60, 76] {
            var lines = ""
            for (index, character) in text.enumerated() {
                lines.append(character)
                if index % width == width - 1 { lines += space }
            }
            for piece in [1, 77, 16_384, 1_000_000] {
                #expect(try decode(space + lines + space, pieces: piece) == bytes)
                let unpadded = lines.replacingOccurrences(of: "=", with: "")
                #expect(try decode(unpadded, pieces: piece) == bytes)
            }
        }
    }

    @Test func `Text that arrives one character at a time is decoded in large pieces`() throws {
        let text = String(repeating: "QUJD", count: 50_000)
        var decoder = Base64Decoder()
        let pieces = try text.utf8.map { try decoder.decode(CollectionOfOne($0)) }.filter { !$0.isEmpty }
        #expect(pieces.count <= text.utf8.count / 16_384)
        #expect(try pieces.joined().count + decoder.finish().count == 150_000)
    }
}
