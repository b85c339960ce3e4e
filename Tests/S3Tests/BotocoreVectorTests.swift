import Foundation
import TestSupport
import Testing

@testable import S3

/// What botocore signs, from botocore_vectors.py.
struct BotocoreVectors: Decodable {
    struct Header: Decodable, Sendable, CustomTestStringConvertible {
        let name: String
        let method: String
        let key: String?
        let query: [[String]]
        let headers: [[String]]
        let region: String
        let time: Int
        let token: String?
        let payloadHash: String
        let path: String
        let authorization: String

        var testDescription: String { name }
    }

    let headers: [Header]

    static let all: BotocoreVectors = {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        do {
            let text = try Project.text("Tests/S3Tests/botocore_vectors.json")
            return try decoder.decode(BotocoreVectors.self, from: Data(text.utf8))
        } catch {
            fatalError("botocore_vectors.json: \(error)")
        }
    }()
}

@Suite struct BotocoreVectorTests {
    @Test(arguments: BotocoreVectors.all.headers)
    func `Signs headers as botocore does`(_ vector: BotocoreVectors.Header) throws {
        let location = try S3Location(parsing: "s3://examplebucket?endpoint=http://127.0.0.1:8333") { _ in nil }
        let path = vector.key.map { location.path(of: Array($0.utf8)) } ?? location.bucketPath
        #expect(path == vector.path)
        let host = [(name: "Host", value: location.host)]
        var request = S3Request(
            operation: vector.name,
            method: vector.method,
            path: path,
            query: pairs(vector.query),
            headers: host + pairs(vector.headers),
            payloadHash: vector.payloadHash
        )
        let signer = SigV4Signer(region: vector.region)
        signer.sign(&request, credentials(vector.token), at: vector.time)
        #expect(request.headers.filter { $0.name == "authorization" }.map(\.value) == [vector.authorization])
        #expect(
            request.headers.filter { $0.name == "x-amz-security-token" }.map(\.value)
                == (vector.token.map { [$0] } ?? [])
        )
    }

    private func credentials(_ token: String?) -> Credentials {
        let documented = SigV4SignerTests.credentials
        return Credentials(accessKey: documented.accessKey, secretKey: documented.secretKey, sessionToken: token)
    }

    private func pairs(_ lists: [[String]]) -> [(name: String, value: String)] {
        lists.map { (name: $0[0], value: $0[1]) }
    }
}
