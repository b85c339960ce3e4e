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
