import Foundation
import Testing

/// A worked example of an upload, from the wire contract.
public struct PutVector: Decodable, Sendable, CustomTestStringConvertible {
    public let name: String
    public let namespace: String
    public let payloadBase64: String
    public let size: Int
    public let digest: String
    public let xTemporalMetadata: String
    public let metadataHash: String
    public let key: String

    public var payload: [UInt8] { Array(Data(base64Encoded: payloadBase64) ?? Data()) }
    public var testDescription: String { name }

    public static let all: [PutVector] = {
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
