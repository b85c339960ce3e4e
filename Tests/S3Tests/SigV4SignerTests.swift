import Testing

@testable import S3

/// "Signature Calculations for the Authorization Header" of the Amazon S3 API Reference.
@Suite struct SigV4SignerTests {
    static let credentials = Credentials(
        accessKey: "AKIAIOSFODNN7EXAMPLE",
        secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    )
    /// 2013-05-24T00:00:00Z
    static let time = 1_369_353_600
    static let signer = SigV4Signer(region: "us-east-1")

    struct Example: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let request: S3Request
        let signedHeaders: String
        let signature: String

        init(
            _ name: String,
            _ method: String,
            _ path: String,
            query: [(name: String, value: String)] = [],
            headers: [(name: String, value: String)] = [],
            payloadHash: String = SigV4Signer.emptyPayloadHash,
            signedHeaders: String,
            signature: String
        ) {
            testDescription = name
            let host = [(name: "Host", value: "examplebucket.s3.amazonaws.com")]
            request = S3Request(
                operation: name,
                method: method,
                path: path,
                query: query,
                headers: host + headers,
                payloadHash: payloadHash
            )
            self.signedHeaders = signedHeaders
            self.signature = signature
        }
    }

    static let examples = [
        Example(
            "GET object",
            "GET",
            "/test.txt",
            headers: [("Range", "bytes=0-9")],
            signedHeaders: "host;range;x-amz-content-sha256;x-amz-date",
            signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        ),
        Example(
            "PUT object",
            "PUT",
            "/test%24file.text",
            headers: [("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
            payloadHash: "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
            signedHeaders: "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
            signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
        ),
        Example(
            "GET bucket lifecycle",
            "GET",
            "/",
            query: [("lifecycle", "")],
            signedHeaders: "host;x-amz-content-sha256;x-amz-date",
            signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
        ),
        Example(
            "GET bucket, list objects",
            "GET",
            "/",
            query: [("max-keys", "2"), ("prefix", "J")],
            signedHeaders: "host;x-amz-content-sha256;x-amz-date",
            signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        ),
    ]

    @Test(arguments: examples)
    func `Signs AWS's published examples of headers`(_ example: Example) {
        var request = example.request
        Self.signer.sign(&request, Self.credentials, at: Self.time)
        let added = request.headers.dropFirst(example.request.headers.count).map { "\($0.name): \($0.value)" }
        #expect(
            added == [
                "x-amz-date: 20130524T000000Z",
                "x-amz-content-sha256: \(request.payloadHash)",
                "authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
                    + "SignedHeaders=\(example.signedHeaders), Signature=\(example.signature)",
            ]
        )
    }
}
