import Foundation
import TestSupport

@testable import PayloadService

let helloWorld = bytes("hello world")
let helloWorldDigest = Stack.digest(helloWorld)

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// A value as the client sends it.
func sent(_ text: String) -> ServiceRequest.Bytes { ArraySlice(text.utf8) }

/// A test's request, independent of how its body is handed over.
struct Asked {
    var method: String
    var path: String
    var query = ""
    var headers = ServiceRequest.Headers()
    /// `nil` if the request has no body.
    var body: [UInt8]?
    /// A source that replaces ``body``, always as a stream.
    var source: ServiceRequest.BodySource?
    /// The file that the web server names as the body, instead of ``body``.
    var file: String?
    /// Called after the service answers, before the answer's content is read.
    var beforeContent: () throws -> Void = {}
    /// `LPS_ALLOWED_NAMESPACES`
    var allowed: String?
    /// `LPS_READABLE_NAMESPACES`
    var readable: String?
    var codecPrefix: String? = "/codec"

    init(_ method: String, _ path: String) {
        self.method = method
        self.path = path
    }

    static func put(
        _ payload: [UInt8],
        namespace: String = "ns",
        digest: String? = nil,
        metadata: String = "{}"
    ) -> Asked {
        var asked = Asked("PUT", "/v2/blobs/put")
        asked.query = "namespace=\(Stack.escape(namespace))&digest=\(digest ?? Stack.digest(payload))"
        asked.headers.contentType = sent("application/octet-stream")
        asked.headers.contentLength = sent("\(payload.count)")
        asked.metadata(metadata)
        asked.body = payload
        return asked
    }

    static func get(_ key: String, length: Int) -> Asked {
        var asked = Asked("GET", "/v2/blobs/get")
        asked.query = "key=\(Stack.escape(key))"
        asked.headers.contentType = sent("application/octet-stream")
        asked.headers.expectedContentLength = sent("\(length)")
        return asked
    }

    /// A request to the codec server.
    ///
    /// - Parameter operation: the path after the prefix, and a query.
    static func codec(_ operation: String, _ body: [UInt8], namespace: String? = "ns") -> Asked {
        let parts = operation.split(separator: "?", omittingEmptySubsequences: false)
        var asked = Asked("POST", "/codec/\(parts[0])")
        asked.query = parts.dropFirst().joined()
        asked.headers.namespace = namespace.map(sent)
        asked.headers.contentType = sent("application/json")
        asked.headers.contentLength = sent("\(body.count)")
        asked.body = body
        return asked
    }

    func with(_ change: (inout Asked) -> Void) -> Asked {
        var asked = self
        change(&asked)
        return asked
    }

    /// Sends this JSON as the payload's metadata.
    mutating func metadata(_ json: String) {
        headers.temporalMetadata = sent(Data(json.utf8).base64EncodedString())
    }

    /// Sends this prefix as the payload's only metadata.
    mutating func prefix(_ prefix: String) {
        metadata(#"{"remote-codec/key-prefix":"\#(Data(prefix.utf8).base64EncodedString())"}"#)
    }
}

/// Returns a source that supplies a body in pieces.
func source(_ body: [UInt8]) -> ServiceRequest.BodySource {
    var rest = body[...]
    return { buffer in
        let piece = rest.prefix(buffer.count)
        buffer.copyBytes(from: piece)
        rest = rest.dropFirst(piece.count)
        return piece.count
    }
}
