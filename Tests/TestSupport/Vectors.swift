import Foundation
import Testing

/// A worked example of an upload, from the wire contract.
package struct PutVector: Decodable, Sendable, CustomTestStringConvertible {
    package let name: String
    package let namespace: String
    package let payloadBase64: String
    package let size: Int
    package let digest: String
    package let xTemporalMetadata: String
    package let metadataHash: String
    package let key: String

    package var payload: [UInt8] { Array(Data(base64Encoded: payloadBase64) ?? Data()) }
    package var testDescription: String { name }

    package static let all: [PutVector] = {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        do {
            let path = "\(Project.root)/Tests/TestSupport/put_vectors.json"
            return try decoder.decode([PutVector].self, from: Data(contentsOf: URL(fileURLWithPath: path)))
        } catch {
            fatalError("put_vectors.json: \(error)")
        }
    }()
}

/// A payload as the existing codec encodes it, in namespace `test`.
package struct CodecVector: Sendable, CustomTestStringConvertible {
    package let name: String
    package let metadata: [String: String]
    package let data: [UInt8]
    /// The data of the payload that carries the reference.
    package let encoded: [UInt8]

    package var testDescription: String { name }

    package static let all = [
        CodecVector(
            "encoded_no_prefix",
            ["foo": "bar", "baz": "qux"],
            "This message is also longer than the 32 bytes limit!"
        ),
        CodecVector(
            "encoded_with_prefix",
            ["foo": "bar", "baz": "qux", "remote-codec/key-prefix": "1234"],
            "this is a longer message blah blah blah blah blah blah blah"
        ),
    ]

    private init(_ name: String, _ metadata: [String: String], _ data: String) {
        self.name = name
        self.metadata = metadata
        self.data = Array(data.utf8)
        do {
            encoded = Array(try Project.text("Tests/TestSupport/codec/\(name).json").utf8)
        } catch {
            fatalError("\(name).json: \(error)")
        }
    }
}
