import Foundation
import TestSupport
import Testing

@testable import S3

@Suite(.runLimit) struct BotocoreVectorTests {
    /// A request signed by botocore, from botocore_vectors.py.
    private struct Vector: Decodable {
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

        var credentials: Credentials {
            Credentials(
                accessKey: "AKIAIOSFODNN7EXAMPLE",
                secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                sessionToken: token
            )
        }
    }

    @Test func `Headers are signed as by botocore`() throws {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let text = try Project.text("Tests/S3Tests/botocore_vectors.json")
        let location = try S3Location(parsing: "s3://examplebucket?endpoint=http://127.0.0.1:8333") { _ in nil }
        func fields(_ lists: [[String]]) -> S3Request.Fields { lists.map { (name: $0[0], value: $0[1]) } }
        for vector in try decoder.decode([Vector].self, from: Data(text.utf8)) {
            let path = vector.key.map { location.path(of: key($0)) } ?? location.bucketPath
            #expect(path == vector.path, "\(vector.name)")
            var request = S3Request(
                operation: vector.name,
                method: vector.method,
                path: path,
                query: fields(vector.query),
                headers: [("Host", location.host)] + fields(vector.headers),
                payloadHash: vector.payloadHash
            )
            SigV4Signer(region: vector.region).sign(&request, vector.credentials, at: vector.time)
            let added = request.headers.dropFirst(1 + vector.headers.count).map(\.name)
            let token = vector.token == nil ? [] : ["x-amz-security-token"]
            #expect(added == ["x-amz-date", "x-amz-content-sha256"] + token + ["authorization"], "\(vector.name)")
            #expect(request.headers.last?.value == vector.authorization, "\(vector.name)")
        }
    }
}
