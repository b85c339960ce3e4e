import Foundation
import TestSupport
import Testing

/// The codec server in a chain with the encrypting one of `docs/examples`, behind a real nginx.
@Suite(.runLimit) struct EncryptingCodecTests {
    private let folder: TemporaryFolder
    private let codec: ChildProcess
    private let stack: Stack
    private let token = ["X-Namespace": "default", "Authorization": "Bearer of-the-caller"]

    init() throws {
        folder = try TemporaryFolder()
        let port = try freePort()
        codec = try ChildProcess(
            "python3",
            ["\(Project.root)/docs/examples/encrypting_codec_server.py", "\(port)"],
            environment: ["CODEC_KEY": "key", "CODEC_TOKEN": "of-the-caller"],
            log: folder.file("log")
        )
        let codec = codec
        try eventually("the codec server listens: \(codec.log)") {
            guard let connection = try? connectTCP(port) else { return false }
            close(connection)
            return true
        }
        stack = try Stack(options: ["--codec-next", "http://127.0.0.1:\(port)/{namespace}"])
    }

    private func ask(_ operation: String, _ payloads: [JSONPayload]) throws -> [JSONPayload] {
        try JSONPayloads(stack.codec(operation, JSONPayloads(payloads).json, token)).payloads
    }

    @Test func `What is stored is ciphertext, and what is decoded is plain text`() throws {
        let text = String(repeating: "a readable text. ", count: 20_000)
        let payloads = [
            JSONPayload(Array(text.utf8)), JSONPayload(Array("small".utf8)), JSONPayload(randomPayload(5 << 20)),
        ]
        let encoded = try ask("encode", payloads)
        #expect(encoded[0].metadata["temporal.io/remote-codec"] == Data("v2".utf8))
        #expect(encoded[1].metadata["encoding"] == Data("binary/encrypted".utf8))
        let objects = files(below: "\(stack.store)/objects").map { "\(stack.store)/objects/\($0)" }
        #expect(objects.count == 2)
        for object in objects {
            let content = Data(try contents(of: object))
            let isReadable = [text.prefix(100), "binary/plain", "metadata"].contains {
                content.range(of: Data($0.utf8)) != nil
            }
            #expect(!isReadable, "\(object)")
        }
        let isDecoded = try ask("decode", encoded) == payloads
        #expect(isDecoded)
        let isDownloaded = try ask("download", [encoded[2]]) == [payloads[2]]
        #expect(isDownloaded)
        // The Web UI sees a storage reference, which passes through the encrypting codec.
        let shown = try ask("decode?preserveStorageRefs=true", encoded)
        #expect(shown[1] == payloads[1])
        #expect(shown[2].externalPayloads?.count == 1)
        try stack.expectNothingIncoming()
    }

    @Test func `The encrypting codec refuses callers without its token, and their credentials are never logged`() throws
    {
        let body = try JSONPayloads([JSONPayload(randomPayload(200_000))]).json
        for headers in [[:], ["Authorization": "Bearer wrong-secret", "Cookie": "session=wrong-secret"]] {
            for operation in ["default/encode", "default/decode"] {
                let answer = try stack.codec(operation, body, headers)
                let server = "codec server http://127.0.0.1:"
                #expect(answer.status == 403)
                #expect(
                    answer.text.hasPrefix(server)
                        && answer.text.hasSuffix(" answered status 401: a valid token is required")
                )
            }
        }
        codec.signal(SIGTERM)
        codec.wait()
        let answer = try stack.codec("decode", body, token)
        #expect(answer.status == 503)
        #expect(answer.headers["retry-after"] == "5")
        #expect(stack.workerLog.contains("next codec server failed"))
        let nginxLog = try String(contentsOfFile: stack.folder.file("nginx-error.log"), encoding: .utf8)
        for log in [stack.workerLog, stack.accessLog, nginxLog] {
            #expect(!log.contains("secret") && !log.contains("of-the-caller"))
        }
        #expect(files(below: "\(stack.store)/objects").isEmpty)
        try stack.expectNothingIncoming()
    }
}
