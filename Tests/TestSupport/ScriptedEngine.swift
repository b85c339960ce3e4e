import Foundation

/// An engine that behaves as AWS, except where a test changes it. It stores names of objects, not their content.
package final class ScriptedEngine: @unchecked Sendable {
    package typealias Answer = @Sendable (ScriptedServer.Request) -> ScriptedServer.Step?

    package let server: ScriptedServer

    /// - Parameter otherwise: answers a request differently; `nil` answers as AWS.
    package init(_ otherwise: @escaping Answer = { _ in nil }) throws {
        let names = Names()
        server = try ScriptedServer { _, request in [otherwise(request) ?? names.answer(request)] }
    }

    private final class Names: @unchecked Sendable {
        // Guarded by the lock.
        private var stored: Set<String> = []
        private let lock = NSLock()

        func answer(_ request: ScriptedServer.Request) -> ScriptedServer.Step {
            lock.withLock {
                switch request.method {
                case "PUT" where request.headers["x-amz-copy-source"] != nil:
                    return .answer(200, [], "<CopyObjectResult/>")
                case "PUT" where request.headers["if-none-match"] != nil && stored.contains(request.target):
                    return .error(412, "PreconditionFailed")
                case "PUT" where request.wrongChecksum != nil: return .error(400, "BadDigest")
                case "PUT":
                    stored.insert(request.target)
                    return .stored
                case "HEAD" where stored.contains(request.target): return .object(47)
                case "GET" where request.target.hasSuffix("/probe/object"):
                    return .answer(206, ["Content-Range: bytes 6-12/47"], "Payload")
                case "GET" where request.target.contains("list-type=2"):
                    return .answer(200, [], "<ListBucketResult/>")
                case "DELETE": return .send("HTTP/1.1 204 -\r\n\r\n")
                default: return .error(404, "NoSuchKey")
                }
            }
        }
    }
}

extension ScriptedServer.Request {
    package var method: String { String(line.prefix { $0 != " " }) }
    package var target: String { String(line.drop { $0 != " " }.dropFirst()) }

    /// The header that declares an upload empty: a probe's wrong checksum.
    package var wrongChecksum: String? {
        let ofNothing = [
            "x-amz-checksum-sha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
            "x-amz-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "content-md5": "47DEQpj8HBSa+/TImW+5JA==",
        ]
        return ofNothing.first { headers[$0.key] == $0.value }?.key
    }
}
