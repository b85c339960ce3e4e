import Encoding

/// Where payloads are kept in an engine that speaks the S3 API:
/// `s3://BUCKET[/PREFIX]?endpoint=…&region=…&path-style=…&storage-class=…&sse=…&sse-kms-key-id=…`
///
/// Without an endpoint, it is the one that the AWS tools are configured for. Without that, it is AWS's of the region
/// (`https://s3.REGION.amazonaws.com`), and the bucket is part of the host's name; with one, the bucket is part of the path,
/// unless `path-style=false`. On AWS, too, the bucket is part of the path when no certificate would match it (a name with
/// dots), or when it can't be a host's name (as older buckets' names).
public struct S3Location: Sendable {
    /// The bucket's name.
    public let bucket: String
    /// What stands before a payload's key in an object's key: empty, or without a slash at its start and its end.
    public let prefix: [UInt8]
    /// Scheme and host, without a slash at the end.
    public let origin: String
    /// As in the `Host` header: with the port when it is not the scheme's own, and with the bucket when that is not
    /// part of the path.
    public let host: String
    /// The region that requests are signed for.
    public let region: String
    /// Whether the bucket is part of the path.
    public let isPathStyle: Bool
    /// Headers that say how the engine is to keep and encrypt a new object; without them, as the bucket says.
    let newObject: S3Request.Fields

    /// The path of requests for the bucket itself.
    public var bucketPath: String { isPathStyle ? "/" + bucket : "/" }

    /// The key of the object that holds a payload.
    ///
    /// - Parameter payloadKey: begins with a slash.
    public func objectKey(of payloadKey: [UInt8]) -> [UInt8] { prefix + payloadKey }

    /// The path of requests for an object, as it is signed and as it goes on the wire: each byte but slashes and the
    /// unreserved characters percent-encoded; nothing is left out, neither a slash after another nor a dot segment.
    ///
    /// - Parameter key: the object's whole key, with the prefix.
    public func path(of key: [UInt8]) -> String {
        (isPathStyle ? "/\(bucket)/" : "/") + PercentEncoding.encodePath(key)
    }
}

/// Why a text names no place in an S3 engine: one line that names the value and what is expected. What may be a secret
/// is not in it.
public struct S3LocationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The line.
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
