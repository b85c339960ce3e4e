import Encoding
import HTTP

/// The location of payloads in an engine:
///
/// Without an endpoint, the one that the AWS tools are configured for applies, or else AWS's for the region
/// (`https://s3.REGION.amazonaws.com`). With an endpoint in the URL or the configuration, the bucket is part of the
/// path, unless `path-style=false`. On AWS, it is part of the host name, unless no certificate would match it (a name
/// with dots) or it can't be part of a host name (as some older buckets' names).
public struct S3Location: Sendable {
    /// The bucket's name.
    public let bucket: String
    /// The text before a payload's key in an object's key: empty, or without a leading and a trailing slash.
    public let prefix: [UInt8]
    /// Scheme and host, without a trailing slash.
    public let origin: String
    /// The value of the `Host` header: with the port if it is not the scheme's default, and with the bucket if that is
    /// not part of the path.
    public let host: String
    /// The region that requests are signed for.
    public let region: String
    /// Whether the bucket is part of the path.
    public let isPathStyle: Bool
    /// Headers that select how the engine stores and encrypts a new object; without them, the bucket's settings apply.
    let newObject: S3Request.Fields

    /// The path of requests to the bucket itself.
    public var bucketPath: String { isPathStyle ? "/" + bucket : "/" }

    /// The key of the object that holds a payload.
    ///
    /// - Parameter payloadKey: begins with a slash.
    public func objectKey(of payloadKey: [UInt8]) -> [UInt8] { prefix + payloadKey }

    /// The path of requests for an object, as it is signed and sent: all bytes except slashes and the unreserved
    /// characters are percent-encoded. Repeated slashes and dot segments stay.
    ///
    /// - Parameter key: the object's whole key, including the prefix.
    public func path(of key: [UInt8]) -> String {
        (isPathStyle ? "/\(bucket)/" : "/") + PercentEncoding.encodePath(key)
    }
}

/// Why a text is not a valid location: one line that names the value and what is expected, but no possible secrets.
public struct S3LocationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The reason, in one line.
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
